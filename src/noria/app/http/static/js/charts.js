// Fetches ECharts once the text of the page is painted: a megabyte of script would keep it back.
const script = Object.assign(document.createElement("script"), { src: "/static/vendor/echarts.min.js" });
script.addEventListener("load", () => {
  if (document.getElementById("performance-chart")) import("./performance.js");
  document.dispatchEvent(new Event("noria:charts"));
});
requestAnimationFrame(() => setTimeout(() => document.head.append(script)));

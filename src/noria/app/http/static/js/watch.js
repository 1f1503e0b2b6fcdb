// Charts of one metric with their interval, saving as PNG, and what a form of this site must say of itself.
const DAY_MS = 86400000;
const dark = matchMedia("(prefers-color-scheme: dark)");
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const timeOf = (ms) => new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** Draws the chart in a host from the JSON beside it. */
function draw(host) {
  const source = document.querySelector(`script[data-chart="${host.id}"]`);
  if (!source || typeof echarts === "undefined") return;
  host.dataset.drawn = "";
  const data = JSON.parse(source.textContent);
  const graph = echarts.getInstanceByDom(host) ?? echarts.init(host, null, { renderer: "canvas" });
  const told = data.points.filter((p) => p.n);
  const narrow = host.clientWidth < 560;
  const [ink, muted, line, panel, accent, bad] = ["ink", "muted", "line", "panel", "accent", "bad"].map(color);
  const lows = told.map((p) => p.low), highs = told.map((p) => p.high);
  const floor = told.length ? Math.max(0, Math.floor(10 * (Math.min(...lows) - 0.02)) / 10) : 0;
  const ceiling = told.length ? Math.min(1, Math.ceil(10 * (Math.max(...highs) + 0.02)) / 10) : 1;
  const pick = (of) => data.points.map((p) => [p.time_ms, p.n ? of(p) : null]);
  const band = { type: "line", stack: "band", stackStrategy: "all", symbol: "none", silent: true, z: 1, lineStyle: { opacity: 0 }, animation: false };
  graph.setOption({
    animation: false, useUTC: true, aria: { enabled: false },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
    grid: { top: 46, left: narrow ? 44 : 52, right: narrow ? 14 : 22, bottom: 30 },
    legend: { top: 0, left: narrow ? 8 : 44, textStyle: { color: ink }, inactiveColor: muted, data: [data.title.split(",")[0], { name: "95 % interval", icon: "roundRect", itemStyle: { color: color("band"), opacity: 1 } }] },
    xAxis: { type: "time", axisLine: { lineStyle: { color: muted } }, axisLabel: { color: muted, hideOverlap: true, formatter: { year: "{yyyy}", month: "{MMM}", day: "{d} {MMM}", hour: "{HH}:{mm}" } }, splitLine: { show: false }, splitNumber: narrow ? 3 : 8 },
    yAxis: { type: "value", min: floor, max: ceiling, axisLabel: { color: muted, formatter: (v) => `${Math.round(100 * v)} %` }, splitLine: { lineStyle: { color: line } } },
    tooltip: {
      renderMode: "richText", trigger: "axis", confine: true, backgroundColor: panel, borderColor: muted, borderWidth: 1,
      textStyle: { color: ink, fontSize: 12, lineHeight: 18 }, axisPointer: { type: "line", lineStyle: { color: muted, type: "dashed" } },
      formatter: (entries) => {
        const p = data.points[entries[0].dataIndex];
        const said = p.n ? [`${percent(p.value)} (${(100 * p.low).toFixed(1)} to ${percent(p.high)})`, `${p.n} labels`] : ["not enough labels"];
        return [timeOf(p.time_ms), ...said, `${p.queries} queries`].join("\n");
      },
    },
    series: [
      { ...band, name: "95 % interval", data: pick((p) => p.low) },
      { ...band, name: "95 % interval", data: pick((p) => p.high - p.low), areaStyle: { color: color("band"), opacity: 1 } },
      {
        name: data.title.split(",")[0], type: "line", data: pick((p) => p.value), z: 3, animation: false, symbol: "circle", symbolSize: narrow ? 4 : 6, showAllSymbol: true,
        itemStyle: { color: accent }, lineStyle: { color: accent, width: 2 },
        markLine: { silent: true, symbol: "none", animation: false, label: { formatter: (m) => m.name, color: muted, fontSize: 11 }, data: apart(data, host.clientWidth).map((l) => ({ name: l.text, xAxis: l.time_ms, lineStyle: { color: muted, type: "solid", width: 1 } })) },
        markArea: { animation: false, itemStyle: { color: bad, opacity: 0.16 }, data: data.bands.map((b) => [{ name: b.id, xAxis: b.from_ms, label: { show: false } }, { xAxis: Math.max(b.to_ms, b.from_ms + DAY_MS / 8) }]) },
      },
    ],
  }, { replaceMerge: ["series"] });
  graph.off("click");
  graph.on("click", (event) => {
    const to = `/findings/${encodeURIComponent(event.name ?? "")}`;
    if (event.componentType === "markArea" && location.pathname !== to) location.assign(to);
  });
}

// of lines that stand close together only the first is named: two names on one place can be read by nobody
function apart(data, width) {
  const times = data.points.map((p) => p.time_ms), least = 44 * (Math.max(...times) - Math.min(...times)) / Math.max(width - 74, 1);
  let named = -Infinity;
  return [...data.lines].sort((a, b) => a.time_ms - b.time_ms).map((l) => {
    if (l.time_ms - named < least) return { ...l, text: "" };
    named = l.time_ms;
    return l;
  });
}

const seen = new ResizeObserver((entries) => {
  if (typeof echarts === "undefined") return;
  for (const entry of entries) { echarts.getInstanceByDom(entry.target)?.resize(); draw(entry.target); }
});

/** Draws what is new within a part of the page. */
function start(root) {
  for (const host of root.querySelectorAll(".series-chart")) { draw(host); seen.observe(host); }
}

function savePng(id) {
  const graph = typeof echarts === "undefined" ? undefined : echarts.getInstanceByDom(document.getElementById(id));
  if (!graph) return;
  const link = document.createElement("a");
  link.href = graph.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: color("panel") });
  link.download = `noria-${id}.png`;
  link.click();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-png]");
  if (button) savePng(button.dataset.png);
});
// what only a page of this site can know, for whoever is signed in
document.addEventListener("htmx:configRequest", (event) => {
  const form = document.cookie.match(/(?:^|; )noria_form=([^;]*)/);
  if (form) event.detail.headers["X-Noria-Form"] = form[1];
});
document.addEventListener("htmx:afterSettle", (event) => start(event.detail.elt.isConnected ? event.detail.elt : document));
document.addEventListener("htmx:responseError", (event) => {
  let told;
  try { told = JSON.parse(event.detail.xhr.responseText).detail; } catch { told = `The server answered ${event.detail.xhr.status}.`; }
  const place = document.querySelector("#failure") ?? document.querySelector("#main").appendChild(Object.assign(document.createElement("p"), { id: "failure", className: "error" }));
  place.setAttribute("role", "alert");
  place.textContent = told;
});
document.addEventListener("noria:charts", () => start(document));
dark.addEventListener("change", () => start(document));
start(document);

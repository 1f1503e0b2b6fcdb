// Draws the performance graph from the JSON beside it. It imports nothing: the replay's report carries this very file.
(() => {
  "use strict";
  const host = document.getElementById("performance-chart");
  if (!host || typeof echarts === "undefined") return;
  const data = JSON.parse(document.getElementById("performance-data").textContent);

  const DAY_MS = 86400000;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const dayOf = (ms) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const told = (rate) => rate && rate.n && rate.value !== null;
  const LABELS = "Success by labels";
  const BAND = "95 % interval";
  const WITH = "With the loop";
  const WITHOUT = "Without the loop";

  host.dataset.drawn = "";
  const graph = echarts.init(host, null, { renderer: "canvas" });
  const first = Math.min(data.days[0].time_ms - DAY_MS / 2, ...data.marks.map((m) => m.from_ms));
  const last = Math.max(data.days.at(-1).time_ms + DAY_MS / 2, ...data.marks.map((m) => m.to_ms));
  const floor = lowest();

  // The axis starts at a full tenth below everything drawn: the scale is written on it, and changes stay visible.
  function lowest() {
    const values = data.days.flatMap((d) => [told(d.success) ? d.success.low : null, d.with_loop, d.without_loop]);
    const least = Math.min(...values.filter((v) => v !== null));
    return Number.isFinite(least) ? Math.max(0, Math.floor(10 * (least - 0.02)) / 10) : 0;
  }

  // Badges that would cover each other go to further rows.
  function badges(kind, pixelsPerMs, ink, soft, y, step) {
    const free = [];
    return data.marks.filter((m) => m.kind === kind).sort((a, b) => a.from_ms - b.from_ms).map((m) => {
      const x = m.from_ms * pixelsPerMs;
      let row = free.findIndex((until) => until <= x);
      if (row < 0) row = free.length;
      free[row] = x + 26;
      return {
        value: [m.from_ms, y], name: m.id ?? "", symbolOffset: [0, step * (0.7 + 1.15 * Math.min(row, 3))],
        itemStyle: { color: soft, borderColor: ink, borderWidth: 1 },
        label: { show: true, formatter: m.key, color: ink, fontSize: 11, fontWeight: 600 },
      };
    });
  }

  function verticals(kind, ink, type) {
    return data.marks.filter((m) => m.kind === kind)
      .map((m) => ({ xAxis: m.from_ms, lineStyle: { color: ink, type, width: 1.25, opacity: 0.8 } }));
  }

  function tooltip(entries) {
    const day = data.days[entries[0].dataIndex];
    const lines = [dayOf(day.time_ms)];
    if (told(day.success)) {
      const s = day.success;
      lines.push(`${LABELS}  ${percent(s.value)}`, `  ${(100 * s.low).toFixed(1)} to ${percent(s.high)}, ${s.k} of ${s.n} labelled`);
    } else {
      lines.push("not enough labels");
    }
    if (day.with_loop !== null) lines.push(`${WITH}  ${percent(day.with_loop)}`);
    if (day.without_loop !== null) lines.push(`${WITHOUT}  ${percent(day.without_loop)}`);
    if (day.n) lines.push(`${day.n} requests in the replay`);
    return lines.join("\n");
  }

  function series(narrow, pixelsPerMs) {
    const accent = color("accent"), warm = color("warm"), bad = color("bad"), ink = color("ink"), muted = color("muted");
    const points = (pick) => data.days.map((d) => [d.time_ms, pick(d)]);
    const band = { type: "line", stack: "band", stackStrategy: "all", symbol: "none", silent: true, z: 1, lineStyle: { opacity: 0 } };
    const list = [
      { ...band, name: BAND, data: points((d) => (told(d.success) ? d.success.low : null)), tooltip: { show: false } },
      {
        ...band, name: BAND, data: points((d) => (told(d.success) ? d.success.high - d.success.low : null)),
        areaStyle: { color: color("band"), opacity: 1 },
      },
      {
        name: LABELS, type: "line", data: points((d) => (told(d.success) ? d.success.value : null)), z: 3,
        symbol: "circle", symbolSize: narrow ? 4 : 6, showAllSymbol: true, itemStyle: { color: accent },
        lineStyle: { color: accent, width: data.replayed ? 1 : 2, opacity: data.replayed ? 0.55 : 1 },
      },
    ];
    if (data.replayed) {
      const line = { type: "line", symbol: "none", z: 4 };
      list.push(
        { ...line, name: WITH, data: points((d) => d.with_loop), itemStyle: { color: ink }, lineStyle: { color: ink, width: 2.5 } },
        { ...line, name: WITHOUT, data: points((d) => d.without_loop), itemStyle: { color: warm }, lineStyle: { color: warm, width: 2.5, type: [7, 4] } },
      );
    }
    const badge = { type: "scatter", symbol: "roundRect", symbolSize: [24, 16], silent: true, z: 6, clip: false, tooltip: { show: false } };
    list.push(
      {
        ...badge, name: "releases", data: badges("release", pixelsPerMs, accent, color("accent-soft"), floor, -16),
        markLine: { silent: true, symbol: "none", animation: false, label: { show: false }, data: [...verticals("release", accent, "solid"), ...verticals("change", warm, [3, 3])] },
      },
      { ...badge, name: "changes", data: badges("change", pixelsPerMs, warm, color("warm-soft"), 1, -16) },
      {
        ...badge, silent: !data.marks.some((m) => m.id), cursor: "pointer", name: "findings", data: badges("finding", pixelsPerMs, bad, color("bad-soft"), 1, 16),
        markArea: {
          silent: true, itemStyle: { color: bad, opacity: 0.13 },
          data: data.marks.filter((m) => m.kind === "finding").map((m) => [{ xAxis: m.from_ms }, { xAxis: Math.max(m.to_ms, m.from_ms + DAY_MS / 8) }]),
        },
      },
    );
    return list.map((s) => ({ animation: false, connectNulls: false, emphasis: { disabled: true }, labelLine: { lineStyle: { color: muted } }, ...s }));
  }

  function draw() {
    const width = host.clientWidth, narrow = width < 560;
    const ink = color("ink"), muted = color("muted"), line = color("line"), panel = color("panel");
    const top = (narrow ? (data.replayed ? 62 : 34) : 34) + 30;
    const window = graph.getOption()?.dataZoom?.[0];
    const shown = window ? (window.end - window.start) / 100 : 1;
    graph.setOption({
      animation: false,
      useUTC: true,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      aria: { enabled: false },
      legend: {
        top: 0, left: narrow ? 8 : 44, itemGap: narrow ? 12 : 22, itemWidth: 22, icon: undefined,
        textStyle: { color: ink, fontSize: narrow ? 12 : 13 }, inactiveColor: muted,
        data: [LABELS, { name: BAND, icon: "roundRect", itemStyle: { color: color("band"), opacity: 1 } }, ...(data.replayed ? [WITH, WITHOUT] : [])],
      },
      grid: { top, left: narrow ? 44 : 52, right: narrow ? 14 : 22, bottom: 76 },
      xAxis: {
        type: "time", min: first, max: last, axisLine: { lineStyle: { color: muted } }, axisTick: { lineStyle: { color: muted } },
        axisLabel: { color: muted, hideOverlap: true, formatter: { year: "{yyyy}", month: "{MMM}", day: "{d} {MMM}" } }, splitLine: { show: false },
        splitNumber: narrow ? 3 : 8,
      },
      yAxis: {
        type: "value", min: floor, max: 1, interval: 0.1, axisLabel: { color: muted, formatter: (v) => `${Math.round(100 * v)} %` },
        splitLine: { lineStyle: { color: line } },
      },
      dataZoom: [{
        type: "slider", bottom: 8, height: 22, showDataShadow: false, brushSelect: false, filterMode: "none", borderColor: line, fillerColor: color("band"),
        backgroundColor: "transparent", handleStyle: { color: panel, borderColor: color("accent") }, moveHandleStyle: { color: muted, opacity: 0.4 },
        textStyle: { color: muted }, showDetail: false, minValueSpan: 3 * DAY_MS,
      }],
      tooltip: {
        // drawn in the canvas: as HTML it would need inline styles, which the pages' policy forbids
        renderMode: "richText", trigger: "axis", confine: true, formatter: tooltip, backgroundColor: panel, borderColor: muted, borderWidth: 1,
        textStyle: { color: ink, fontSize: 12, lineHeight: 18 }, axisPointer: { type: "line", lineStyle: { color: muted, type: "dashed" } },
      },
      series: series(narrow, width / ((last - first) * shown)),
    }, { replaceMerge: ["series"] });
  }

  draw();
  // the report that stands alone has no pages of findings
  graph.on("click", (event) => {
    if (event.seriesName === "findings" && event.name && location.protocol !== "file:") location.assign(`/findings/${encodeURIComponent(event.name)}`);
  });
  dark.addEventListener("change", draw);
  new ResizeObserver(() => { graph.resize(); draw(); }).observe(host);
  graph.on("datazoom", () => requestAnimationFrame(draw));
})();

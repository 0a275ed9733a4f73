// Draws anew, to zoom in and to point at, what a table says: <table data-chart="bar" data-place="id of the drawing">.
// The table is the source; the server's drawing stays where this cannot run.
"use strict";
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const still = matchMedia("(prefers-reduced-motion: reduce)");

const options = (table) => {
  const rows = [...table.tBodies[0].rows];
  const [, heading] = table.tHead.rows[0].cells;
  const text = { color: token("--qt-ink-2"), fontFamily: token("--qt-sans"), fontSize: 11 };
  return {
    animation: !still.matches,
    aria: { enabled: false }, // the place has a name of its own, and the table the numbers
    textStyle: text,
    grid: { left: 8, right: 8, top: 12, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: {
      trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, confine: true,
      backgroundColor: token("--qt-paper"), borderColor: token("--qt-edge"), textStyle: { ...text, color: token("--qt-ink"), fontSize: 13 },
    },
    xAxis: { type: "category", data: rows.map((row) => row.cells[0].textContent.trim()), axisLabel: text, axisTick: { show: false }, axisLine: { lineStyle: { color: token("--qt-edge") } } },
    yAxis: { type: "value", minInterval: 1, splitNumber: 3, axisLabel: text, splitLine: { lineStyle: { color: token("--qt-line") } } },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl" }],
    series: [{ type: "bar", name: heading.textContent.trim(), data: rows.map((row) => Number(row.cells[1].dataset.value)), itemStyle: { color: token("--qt-plot") } }],
  };
};

for (const table of document.querySelectorAll("table[data-chart='bar']")) {
  const place = document.getElementById(table.dataset.place);
  const box = document.createElement("div");
  box.className = "qt-chart__box";
  place.replaceChildren(box);
  const chart = echarts.init(box, null, { renderer: "svg" });
  const draw = () => chart.setOption(options(table));
  draw();
  new ResizeObserver(() => chart.resize()).observe(box);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  for (const query of [still, matchMedia("(prefers-color-scheme: dark)")]) query.addEventListener("change", draw);
}

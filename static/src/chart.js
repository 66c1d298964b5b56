// Draws <figure data-chart>: reads its own table's numbers from the json_script beside it. Colours come from the theme; series
// differ in dash and point as well, so that colour is never the only difference.
import {
  BarController, BarElement, CategoryScale, Chart, Filler, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip,
} from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, Filler, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip);

const dashes = [[], [6, 3], [2, 3], [8, 3, 2, 3], [12, 4], [1, 4]];
const points = ["circle", "rect", "triangle", "rectRot", "star", "crossRot"];
const drawn = new Map();

const draw = (figure) => {
  const canvas = figure.querySelector("canvas");
  const source = document.getElementById(figure.dataset.source);
  if (!canvas || !source) return;
  const { series, rows } = JSON.parse(source.textContent);
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(name).trim();
  const kind = figure.dataset.chart;
  const line = kind === "line";
  const unit = figure.dataset.unit ? ` ${figure.dataset.unit}` : "";
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const number = new Intl.NumberFormat(document.documentElement.lang || "en");
  drawn.get(figure)?.destroy();
  const valueAxis = {
    beginAtZero: true, stacked: kind === "stacked", border: { display: false }, grid: { color: token("--line"), drawTicks: false },
    ticks: { color: token("--muted"), padding: 8, maxTicksLimit: 5, precision: 0, callback: (value) => number.format(value) },
  };
  const nameAxis = {
    stacked: kind === "stacked", border: { color: token("--line-strong") }, grid: { display: false },
    ticks: { color: token("--muted"), maxRotation: 0, autoSkipPadding: 18 },
  };
  const flat = kind === "horizontal";
  drawn.set(figure, new Chart(canvas, {
    type: line ? "line" : "bar",
    data: {
      labels: rows.map((row) => row[0]),
      datasets: series.map((name, index) => {
        const colour = token(`--chart-${(index % 6) + 1}`);
        return {
          label: name, data: rows.map((row) => row[index + 1]), borderColor: colour, backgroundColor: colour,
          borderWidth: line ? 2 : 0, borderDash: line ? dashes[index % 6] : [], pointStyle: points[index % 6],
          pointRadius: line && rows.length <= 31 ? 2.5 : 0, pointHoverRadius: 5, tension: 0, borderRadius: kind === "stacked" ? 0 : 3,
          maxBarThickness: 28, borderSkipped: false, spanGaps: false,
        };
      }),
    },
    options: {
      responsive: true, maintainAspectRatio: false, animation: still ? false : { duration: 250 }, indexAxis: flat ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: flat ? "y" : "x" },
      font: { family: style.fontFamily, size: 12 },
      scales: flat ? { x: valueAxis, y: nameAxis } : { x: nameAxis, y: valueAxis },
      plugins: {
        legend: { display: series.length > 1, align: "start", position: "top",
          labels: { color: token("--color-base-content"), usePointStyle: true, boxHeight: 7, boxWidth: 9, padding: 16 } },
        tooltip: { backgroundColor: token("--color-neutral"), titleColor: token("--color-neutral-content"), bodyColor: token("--color-neutral-content"),
          padding: 10, cornerRadius: 6, boxPadding: 4, usePointStyle: true,
          callbacks: { label: (item) => ` ${item.dataset.label}: ${number.format(item.raw)}${unit}` } },
      },
    },
  }));
};

const start = (root) => {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  for (const figure of root.querySelectorAll("[data-chart]")) if (!drawn.has(figure)) draw(figure);
};
start(document);
document.addEventListener("look:theme", () => {
  for (const figure of document.querySelectorAll("[data-chart]")) draw(figure);
});
document.addEventListener("htmx:afterSettle", () => {
  for (const [figure, chart] of drawn) {
    if (figure.isConnected) continue;
    chart.destroy();
    drawn.delete(figure);
  }
  start(document);
});

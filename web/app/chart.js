/** A chart of a series, which can be zoomed into by dragging. Its library is loaded when it is seen. */

import { day, duration, number, percent } from "../kit/elements.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";

/**
 * @typedef {import("#api").components["schemas"]["SeriesPoint"]} Point
 * @typedef {import("../vendor/uplot.js").default} UPlot
 * @typedef {typeof import("../vendor/uplot.js").default} Library
 * @typedef {{ label: string, color: string, bars?: boolean, of: (point: Point) => number | null }} Line
 * @typedef {{ word: string, lines: Line[], write: (value: number) => string, top?: number }} Measure
 */

/** What can be drawn of a series. @type {Record<string, Measure>} */
export const MEASURES = {
  events: {
    word: "Events",
    write: number,
    lines: [
      // Errors are drawn over all events, so what is seen above them is what succeeded.
      { label: "Events", color: "--chart", bars: true, of: (point) => point.total },
      { label: "Errors", color: "--bad", bars: true, of: (point) => point.errors },
    ],
  },
  rate: {
    word: "Success rate",
    write: percent,
    top: 100,
    lines: [
      { label: "Success rate", color: "--ok", of: (point) => (point.no_data ? null : point.success_rate) },
    ],
  },
  duration: {
    word: "Duration",
    write: duration,
    lines: [
      { label: "Median", color: "--chart", of: (point) => point.latency.p50_ms ?? null },
      { label: "95th percentile", color: "--warn", of: (point) => point.latency.p95_ms ?? null },
    ],
  },
};

/** @type {Promise<Library> | null} */
let library = null;

/** The charts, and how they look: read once. */
function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("../vendor/uplot.css", import.meta.url).href;
    style.onload = () => import("../vendor/uplot.js").then((module) => resolve(module.default), reject);
    style.onerror = reject;
    document.head.append(style);
  });
  return library;
}

/**
 * When a point starts, in seconds. The first day of a period starts with an hour: it is drawn as the others.
 *
 * @param {Point} point
 * @param {"hour" | "day"} interval
 */
function startOf(point, interval) {
  const step = interval === "day" ? 86_400 : 3600;
  return Math.floor(Date.parse(point.starts_at) / 1000 / step) * step;
}

/**
 * @param {string} at
 * @param {"hour" | "day"} interval
 */
export const when = (at, interval) =>
  interval === "day"
    ? day(at, { day: "numeric", month: "short", timeZone: "UTC" })
    : day(at, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/**
 * A color of the theme, as a canvas takes it.
 *
 * @param {HTMLElement} element
 * @param {string} name
 */
function painted(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** Counts up when the colors change: a canvas has to be painted anew. */
function useTheme() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const change = () => setCount((before) => before + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(change);
    chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    system.addEventListener("change", change);
    return () => {
      chosen.disconnect();
      system.removeEventListener("change", change);
    };
  }, []);
  return count;
}

/**
 * @param {{ points: Point[], measure: string, interval: "hour" | "day", label: string,
 *   onZoom: (from: string, to: string) => void, onReset: () => void }} props
 *   `onZoom` hears when the first and the last point start that were dragged over
 */
export function Chart({ points, measure, interval, label, onZoom, onReset }) {
  const theme = useTheme();
  const frame = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [Plot, setPlot] = useState(/** @type {{ is: Library } | null} */ (null));
  const [failed, setFailed] = useState(false);
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const heard = useRef({ onZoom, onReset });
  heard.current = { onZoom, onReset };
  useEffect(() => {
    let current = true;
    loadLibrary().then(
      (is) => current && setPlot({ is }),
      () => current && setFailed(true),
    );
    return () => {
      current = false;
    };
  }, []);
  const kind = MEASURES[measure] ?? MEASURES["events"];
  useEffect(() => {
    const element = frame.current;
    if (!Plot || !element || !kind || theme < 0) return undefined;
    const plot = new Plot.is(
      options(Plot.is, element, points, kind, interval, heard.current, setPointed),
      columns(points, kind, interval),
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 200 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [Plot, points, kind, interval, theme]);
  if (failed) return html`<p class="muted">The chart can't be loaded. The table shows the same.</p>`;
  const shown = pointed === null ? null : points[pointed];
  return html`<figure class="chart">
    <figcaption class="readout" aria-hidden="true">
      ${shown && html`<strong>${when(shown.starts_at, interval)}</strong>`}
      ${kind?.lines.map((line) => {
        const value = shown ? line.of(shown) : null;
        return html`<span key=${line.label}>
          <span class="swatch" style=${{ background: `var(${line.color})` }}></span>
          ${line.label} ${shown && html`<strong>${value === null ? "–" : kind.write(value)}</strong>`}
        </span>`;
      })}
    </figcaption>
    <div class="plot" ref=${frame} role="img" aria-label=${label}></div>
  </figure>`;
}

/**
 * @param {Point[]} points
 * @param {Measure} kind
 * @param {"hour" | "day"} interval
 * @returns {import("../vendor/uplot.js").default.AlignedData}
 */
const columns = (points, kind, interval) => [
  points.map((point) => startOf(point, interval)),
  ...kind.lines.map((line) => points.map(line.of)),
];

/**
 * @param {Library} Plot
 * @param {HTMLElement} element
 * @param {Point[]} points
 * @param {Measure} kind
 * @param {"hour" | "day"} interval
 * @param {{ onZoom: (from: string, to: string) => void, onReset: () => void }} heard
 * @param {(index: number | null) => void} point
 * @returns {import("../vendor/uplot.js").default.Options}
 */
function options(Plot, element, points, kind, interval, heard, point) {
  const color = (/** @type {string} */ name) => painted(element, name);
  const muted = color("--muted");
  const grid = { stroke: color("--line"), width: 1 };
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: muted, font, grid, ticks: { show: false } };
  const step = interval === "day" ? 86_400 : 3600;
  const [one, other] = [points[0], points.at(-1)];
  const first = one ? startOf(one, interval) : 0;
  const last = other ? startOf(other, interval) : step;
  return {
    width: element.clientWidth,
    height: 200,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: kind.lines[0]?.bars ? { show: false } : { size: 7 },
      bind: {
        dblclick: () => () => {
          heard.onReset();
          return null;
        },
      },
    },
    // A bar stands in the middle of its time: half a step is left at both ends.
    scales: {
      x: { time: false, range: [first - step / 2, last + step / 2] },
      y: { range: (_, __, most) => [0, kind.top ?? (most || 1) * 1.08] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        space: 72,
        incrs: [1, 2, 3, 6, 12, 24, 48, 72, 168, 336]
          .map((hours) => hours * 3600)
          .filter((size) => size >= step),
        values: (_, ticks) => ticks.map((tick) => tickOf(tick, interval)),
      },
      {
        ...axis,
        size: (_, written) => 14 + 7.5 * Math.max(0, ...(written ?? []).map((text) => text.length)),
        space: 36,
        values: (_, ticks) =>
          ticks.map((tick) => (kind.top || Number.isInteger(tick) ? kind.write(tick) : "")),
      },
    ],
    series: [
      {},
      ...kind.lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: line.bars ? 0 : 2,
        points: { show: !line.bars && points.length < 40, size: 5 },
        ...(line.bars
          ? { fill: color(line.color), paths: Plot.paths.bars?.({ size: [0.7, 24], radius: 0.15 }) }
          : {}),
      })),
    ],
    hooks: {
      setCursor: [(plot) => point(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const from = points[plot.posToIdx(plot.select.left)];
          const to = points[plot.posToIdx(plot.select.left + plot.select.width)];
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (from && to) heard.onZoom(from.starts_at, to.starts_at);
        },
      ],
    },
  };
}

/**
 * @param {number} tick
 * @param {"hour" | "day"} interval
 */
function tickOf(tick, interval) {
  const time = new Date(tick * 1000);
  if (interval === "day") return day(time, { day: "numeric", month: "short", timeZone: "UTC" });
  const midnight = time.getHours() === 0 && time.getMinutes() === 0;
  return midnight ? day(time) : day(time, { hour: "2-digit", minute: "2-digit" });
}

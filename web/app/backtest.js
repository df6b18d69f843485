/** When a rule would have fired, drawn over how the space did. */

import { ApiError, at, queryText, request, useResource } from "../kit/api.js";
import { day, exactly, Failure, number, Table } from "../kit/elements.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { Subject, useNames } from "./alert_words.js";
import { lasting } from "./connection_words.js";
import { Switch } from "./dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Backtest"]} Result
 * @typedef {import("#api").components["schemas"]["BacktestFiring"]} Firing
 * @typedef {import("#api").components["schemas"]["HealthSeries"]} Series
 */

/** Typing has rested for so long. Each try counts as a test of the organization. */
const REST_MS = 800;
/** @type {[string, string][]} */
const PERIODS = [
  ["7", "7 days"],
  ["30", "30 days"],
];
const LANES = 8;
/** @type {Intl.DateTimeFormatOptions} */
const TO_THE_MINUTE = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };

/**
 * @param {{ slug: string, rule: Record<string, unknown>, onError: (error: ApiError | null) => void }} props
 *   `rule` as a create has it; `onError` hears what is wrong with its fields
 */
export function Backtest({ slug, rule, onError }) {
  const [days, setDays] = useState("30");
  const [result, setResult] = useState(/** @type {Result | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [waiting, setWaiting] = useState(true);
  const [turn, setTurn] = useState(0);
  const body = JSON.stringify({ rule, days: Number(days) });
  useEffect(() => {
    const stopped = new AbortController();
    const run = async () => {
      try {
        const { data } = await request(`${at`/spaces/${slug}`}/alert-rules/backtest`, {
          body: JSON.parse(body),
          signal: stopped.signal,
        });
        setResult(data);
        setError(null);
        onError(null);
      } catch (failure) {
        if (stopped.signal.aborted) return;
        const said = failure instanceof ApiError ? failure : new ApiError(String(failure));
        setError(said);
        onError(said);
      }
      setWaiting(false);
    };
    setWaiting(true);
    const timer = setTimeout(run, REST_MS);
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [slug, body, turn, onError]);
  const condition = /** @type {{ integration_type?: string, threshold?: number, kind: string }} */ (
    rule["condition"]
  );
  const query = queryText({ days, interval: "hour", integration_type: condition.integration_type });
  const series = /** @type {import("../kit/api.js").Resource<Series>} */ (
    useResource(`${at`/spaces/${slug}`}/integration-health/series${query}`)
  );
  const marked = error?.errors.some((one) => one.pointer.startsWith("/rule/"));
  return html`<section class="card stack" aria-labelledby="backtest" aria-busy=${waiting || (series.loading && !series.data) ? "true" : undefined}>
    <div class="row spread">
      <h2 id="backtest">When it would have fired</h2>
      <${Switch} label="Period" value=${days} options=${PERIODS} onChange=${setDays} />
    </div>
    <p role="status" class=${waiting ? "muted" : ""}>${waiting ? "Trying it on the past…" : error ? (marked ? "Correct what is marked, to see it." : "") : result ? inWords(result) : ""}</p>
    ${error && !marked && !waiting && html`<${Failure} error=${error} retry=${() => setTurn(turn + 1)} title="It can't be tried" />`}
    ${series.error && html`<${Failure} error=${series.error} retry=${series.reload} title="The past can't be drawn" />`}
    ${
      result &&
      !error &&
      html`<div class=${waiting ? "stale" : ""}>
        <${Drawing} result=${result} slug=${slug} series=${series.data} threshold=${condition.kind === "success_rate" ? (condition.threshold ?? null) : null} />
        <${List} result=${result} slug=${slug} />
        ${result.notes.map((note) => html`<p key=${note} class="muted hint">${note}</p>`)}
      </div>`
    }
  </section>`;
}

/** @param {Firing} firing @param {Result} result */
const endOf = (firing, result) => Date.parse(firing.resolved_at ?? result.until);

/** @param {Result} result */
function inWords(result) {
  const { firings } = result;
  if (!result.subjects) return "There is nothing to judge in this period.";
  if (!firings.length) return "It would not have fired.";
  const seconds = firings.reduce((sum, one) => sum + endOf(one, result) - Date.parse(one.fired_at), 0) / 1000;
  const times = firings.length === 1 ? "once" : `${number(firings.length)} times`;
  const open = firings.filter((one) => !one.resolved_at).length;
  const last = open ? ` ${open === 1 ? "One" : number(open)} would still fire.` : "";
  return `It would have fired ${times}${seconds ? `, for ${lasting(seconds)} in all` : ""}.${last}`;
}

/**
 * The success rate hour by hour, with the alerts as bands: all of them, then each subject's.
 *
 * @param {{ result: Result, slug: string, series: Series | null, threshold: number | null }} props
 */
function Drawing({ result, slug, series, threshold }) {
  const names = useNames(slug, result.firings);
  const start = Date.parse(result.since);
  const whole = Date.parse(result.until) - start;
  /** @param {number} time */
  const place = (time) => Math.max(0, Math.min(100, ((time - start) / whole) * 100));
  /** @param {Firing} firing */
  const band = (firing) => {
    const left = place(Date.parse(firing.fired_at));
    // What begins at the very end is still seen.
    return {
      left: `min(${left}%, 100% - 3px)`,
      inlineSize: `max(3px, ${place(endOf(firing, result)) - left}%)`,
    };
  };
  // There is room above 100 % and below 0 %, so that a line at either is seen.
  /** @param {number} rate */
  const height = (rate) => 8 + 0.84 * (100 - rate);
  const line = series?.points.reduce((path, point, index) => {
    const before = series.points[index - 1];
    if (point.no_data) return path;
    const at = `${place(Date.parse(point.starts_at)).toFixed(2)} ${height(point.success_rate).toFixed(2)}`;
    return `${path}${before && !before.no_data ? "L" : "M"}${at}${before && !before.no_data ? "" : "h0.05"}`;
  }, "");
  const lanes = new Map(/** @type {[string, Firing[]][]} */ ([]));
  for (const firing of result.firings) {
    const { id } = firing.subject;
    lanes.set(id, [...(lanes.get(id) ?? []), firing]);
  }
  const ticks = Array.from({ length: 5 }, (_, index) => new Date(start + (whole * index) / 4));
  return html`<figure class="backtest">
    <div class="pane" role="img" aria-label="The success rate over the period, with bands where the rule would have fired. The table below says the same.">
      ${result.firings.map((one) => html`<span key=${one.subject.id + one.opened_at} class="band" style=${band(one)}></span>`)}
      ${threshold !== null && html`<span class="threshold" style=${{ insetBlockStart: `${height(threshold)}%` }}><span>${threshold} %</span></span>`}
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path d=${line ?? ""} /></svg>
      <span class="scale top">100 %</span><span class="scale bottom">0 %</span>
    </div>
    ${
      lanes.size > 1 &&
      [...lanes].slice(0, LANES).map(
        ([
          id,
          firings,
        ]) => html`<div key=${id} class="lane" aria-hidden="true"><bdi>${names.get(id) ?? id}</bdi>
          ${firings.map((one) => html`<span key=${one.opened_at} class="band" style=${band(one)}></span>`)}
        </div>`,
      )
    }
    ${lanes.size > LANES && html`<p class="muted hint">${number(lanes.size - LANES)} more are in the table.</p>`}
    <div class="ticks muted" aria-hidden="true">${ticks.map((tick) => html`<span>${day(tick)}</span>`)}</div>
  </figure>`;
}

/** @param {{ result: Result, slug: string }} props */
function List({ result, slug }) {
  const names = useNames(slug, result.firings);
  if (!result.firings.length) return null;
  return html`<div class="tall"><${Table} caption="When it would have fired" heads=${["Fired", html`<span class="wide">Lasted</span>`, "About"]}>
    ${result.firings.map((one) => {
      const lasted = one.resolved_at
        ? lasting((endOf(one, result) - Date.parse(one.fired_at)) / 1000)
        : "still fires";
      return html`<tr key=${one.subject.id + one.opened_at}>
          <th scope="row" class="line"><span title=${exactly(one.fired_at)}>${day(one.fired_at, TO_THE_MINUTE)}</span>
            <div class="narrow muted">${lasted}</div></th>
          <td class="wide line">${lasted}</td>
          <td><${Subject} subject=${one.subject} slug=${slug} names=${names} />
            <div class="muted second" dir="auto">${one.summary}</div></td>
        </tr>`;
    })}
  </${Table}></div>`;
}

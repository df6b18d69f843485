/**
 * The public status page of a space, at /status/<token>: how it is doing now, and how it did on each
 * of the last 90 days. It reads itself again every minute while it is seen.
 */

import { at, useResource } from "../kit/api.js";
import {
  Badge,
  Brand,
  Button,
  day,
  duration,
  Empty,
  Failure,
  Icon,
  Loading,
  number,
  percent,
  Table,
  Time,
  wearBrand,
} from "../kit/elements.js";
import { html, render, useEffect, useRef, useState } from "../vendor/preact.js";

/**
 * @typedef {import("#api").components["schemas"]["StatusReport"]} Report
 * @typedef {import("#api").components["schemas"]["DayStatus"]} Day
 * @typedef {import("#api").components["schemas"]["PeriodStatus"]} Period
 * @typedef {import("../kit/elements.js").Tone} Tone
 */

const EVERY = 60;

/** How many connections are listed before somebody asks for the others. */
const FEW = 15;

/** Percent: from which a day is good, and from which it is fair; those of the badges. */
const GOOD = 99;
const FAIR = 95;

/** @type {Record<Report["state"], [Tone, string]>} */
const STATES = {
  operational: ["ok", "Operational"],
  degraded: ["warn", "Degraded"],
  down: ["bad", "Down"],
  no_data: ["idle", "No data"],
};

/** @type {Record<NonNullable<Report["connections"]>[number]["state"], [Tone, string]>} */
const CONNECTIONS = {
  working: ["ok", "Working"],
  failing: ["bad", "Failing"],
  unknown: ["idle", "Not tested lately"],
  paused: ["idle", "Paused"],
};

/** @type {Record<Report["alerts"][number]["severity"], Tone>} */
const SEVERITIES = { info: "info", warning: "warn", critical: "bad" };

/** @type {Record<Report["by_integration_type"][number]["integration_type"], string>} */
const TYPES = {
  metadata_sync: "Metadata syncs",
  quality_check: "Quality checks",
  profiling: "Profiling",
  webhook: "Webhooks",
  alert: "Alerts",
  connection_test: "Connection tests",
  usage: "Uses of credentials",
};

/** @param {{ no_data: boolean, success_rate: number }} counts @returns {Tone} */
function toneOf({ no_data, success_rate }) {
  if (no_data) return "idle";
  if (success_rate >= GOOD) return "ok";
  return success_rate >= FAIR ? "warn" : "bad";
}

/** @param {number} count @param {string} one @param {string} [many] */
const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/**
 * A day of UTC, which is that day everywhere.
 *
 * @param {string} date
 */
const dateText = (date) =>
  day(`${date}T00:00:00Z`, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** @param {Day} one */
function inWords(one) {
  if (one.no_data) return `${dateText(one.date)}: no data`;
  const errors = one.errors ? counted(one.errors, "error") : "no errors";
  return `${dateText(one.date)}: ${percent(one.success_rate)} of ${counted(one.total, "run")} succeeded, ${errors}`;
}

/**
 * A bar for each day, the taller the better. It is one control: arrows, or a pointer, choose the day
 * that the line below tells about.
 *
 * @param {{ days: Day[] }} props
 */
function Days({ days }) {
  const last = days.length - 1;
  const [chosen, setChosen] = useState(/** @type {number | null} */ (null));
  const bars = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = chosen ?? last;
  /** @param {number} index */
  const choose = (index) => setChosen(Math.min(last, Math.max(0, index)));

  /** @param {KeyboardEvent} event */
  const press = (event) => {
    const fromRight = bars.current && getComputedStyle(bars.current).direction === "rtl";
    /** @type {Record<string, number>} */
    const goals = {
      ArrowRight: shown + (fromRight ? -1 : 1),
      ArrowLeft: shown + (fromRight ? 1 : -1),
      ArrowUp: shown + 1,
      ArrowDown: shown - 1,
      PageUp: shown + 7,
      PageDown: shown - 7,
      Home: 0,
      End: last,
    };
    const goal = goals[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    choose(goal);
  };

  /** @param {PointerEvent} event */
  const point = (event) => {
    const bar = event.target instanceof Element ? event.target.closest("[data-day]") : null;
    if (bar instanceof HTMLElement) choose(Number(bar.dataset.day));
  };

  const one = days[shown];
  if (!one) return null;
  return html`
    <div
      class="days"
      ref=${bars}
      role="slider"
      tabindex="0"
      aria-label="Day"
      aria-valuemin="1"
      aria-valuemax=${days.length}
      aria-valuenow=${shown + 1}
      aria-valuetext=${inWords(one)}
      onKeyDown=${press}
      onPointerMove=${point}
      onPointerDown=${point}
      onPointerLeave=${() => setChosen(null)}
    >
      ${days.map(
        (each, index) => html`<span
          key=${each.date}
          class=${`day ${toneOf(each)}`}
          data-day=${index}
          data-chosen=${chosen === index ? "" : undefined}
        ><i></i></span>`,
      )}
    </div>
    <div class="row spread muted ends" aria-hidden="true">
      <span>${counted(days.length, "day")} ago</span><span>Today</span>
    </div>
    <p class="told"><span class=${`dot ${toneOf(one)}`} aria-hidden="true"></span>${inWords(one)}</p>
  `;
}

/** The same in a table, newest first: what a picture can't say to everybody. @param {{ days: Day[] }} props */
const DaysAsTable = ({ days }) => html`
  <details>
    <summary>The days as a table</summary>
    <div class="tall">
      <${Table} caption="The days" heads=${["Day (UTC)", "Succeeded", "Runs", "Errors"]}>
        ${days.toReversed().map(
          (one) => html`<tr key=${one.date}>
            <th scope="row">${dateText(one.date)}</th>
            <td class="numeric">${one.no_data ? "No data" : percent(one.success_rate)}</td>
            <td class="numeric">${number(one.total)}</td>
            <td class="numeric">${number(one.errors)}</td>
          </tr>`,
        )}
      </${Table}>
    </div>
  </details>
`;

/** @param {{ period: Period }} props */
const PeriodFigures = ({ period }) => html`
  <div class="figure">
    <dt>${counted(period.period_days, "day")}</dt>
    <dd class=${`rate toned ${toneOf(period)}`}>${period.no_data ? "No data" : percent(period.success_rate)}</dd>
    <dd class="muted">
      ${period.no_data ? "nothing ran" : `of ${counted(period.total, "run")}`}
      ${period.p50_ms !== null && html`<br />median <span class="whole">${duration(period.p50_ms)}</span>`}
    </dd>
  </div>
`;

/** @param {{ report: Report }} props */
const Alerts = ({ report }) => html`
  <section class="card stack" aria-labelledby="alerts">
    <h2 id="alerts">Firing alerts</h2>
    <ul class="lines">
      ${report.alerts.map(
        (alert) => html`<li class="alert">
          <${Badge} tone=${SEVERITIES[alert.severity]} icon="alert">${alert.severity}</${Badge}>
          <bdi>${alert.summary}</bdi>
          <span class="muted">began <${Time} at=${alert.since} /></span>
        </li>`,
      )}
    </ul>
    ${report.more_alerts && html`<p class="muted">More alerts are firing than are shown.</p>`}
  </section>
`;

/**
 * The connections, those that need attention first.
 *
 * @param {{ connections: NonNullable<Report["connections"]>, more: boolean }} props
 */
function Connections({ connections, more }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? connections : connections.slice(0, FEW);
  return html`
    <section class="card stack" aria-labelledby="connections">
      <h2 id="connections">Integrations</h2>
      ${connections.length === 0 && html`<p class="muted">Nothing is connected yet.</p>`}
      <ul class="lines">
        ${shown.map(({ name, state }) => {
          const [tone, word] = CONNECTIONS[state];
          return html`<li class="named">
            <bdi>${name}</bdi><${Badge} tone=${tone} icon=${state === "paused" ? "pause" : undefined}>${word}</${Badge}>
          </li>`;
        })}
      </ul>
      ${
        connections.length > FEW &&
        html`<div><${Button} kind="small" onClick=${() => setWhole(!whole)}>
          ${whole ? "Show fewer" : `Show all ${number(connections.length)}`}
        </${Button}></div>`
      }
      ${more && html`<p class="muted">There are more; those that need attention come first.</p>`}
    </section>
  `;
}

/** @param {{ report: Report }} props */
const Types = ({ report }) => html`
  <section class="card stack" aria-labelledby="types">
    <h2 id="types">Kinds of work</h2>
    <${Table} caption="Kinds of work in the last 90 days" heads=${["Kind", "Succeeded", "Runs", "Errors"]}>
      ${report.by_integration_type.map(
        (one) => html`<tr key=${one.integration_type}>
          <th scope="row">${TYPES[one.integration_type]}</th>
          <td class="numeric">${percent(one.success_rate)}</td>
          <td class="numeric">${number(one.total)}</td>
          <td class="numeric">${number(one.errors)}</td>
        </tr>`,
      )}
    </${Table}>
  </section>
`;

/** @param {{ report: Report, error: Error | null }} props */
function Status({ report, error }) {
  const [tone, word] = STATES[report.state];
  useEffect(() => {
    document.title = `${word}: ${report.name}`;
  }, [word, report.name]);
  return html`
    <h1><bdi>${report.name}</bdi></h1>
    <section class=${`now banner ${tone}`} aria-label="Now">
      <${Icon} name=${{ ok: "check", warn: "alert", bad: "cross", idle: "question", info: "info" }[tone]} />
      <div>
        <strong class="toned">${word}</strong>
        <p role="status">${report.summary}</p>
      </div>
    </section>
    ${
      error &&
      html`<p class="muted row" role="status"><${Icon} name="alert" />This could not be read again. It will be tried in a minute.</p>`
    }
    ${report.alerts.length > 0 && html`<${Alerts} report=${report} />`}
    <section class="card stack" aria-labelledby="history">
      <h2 id="history">The last ${counted(report.days.length, "day")}</h2>
      <div><${Days} days=${report.days} /></div>
      <dl class="figures">${report.periods.map((period) => html`<${PeriodFigures} period=${period} />`)}</dl>
      <${DaysAsTable} days=${report.days} />
    </section>
    ${report.connections && html`<${Connections} connections=${report.connections} more=${report.more_connections} />`}
    ${report.by_integration_type.length > 0 && html`<${Types} report=${report} />`}
  `;
}

function Page() {
  const token = location.pathname.split("/")[2] ?? "";
  /** @type {import("../kit/api.js").Resource<Report>} */
  const { data, error, reload } = useResource(at`/v1/status/${token}`, { every: EVERY });
  const isGone = error && "status" in error && error.status === 404;
  useEffect(() => {
    if (isGone) document.title = "No status page";
  }, [isGone]);
  return html`
    <header class="brand"><${Brand} /></header>
    <main class="stack">
      ${
        isGone
          ? html`<div class="card"><h1 class="visually-hidden">No status page</h1>
              <${Empty} icon="question" title="There is no status page at this address">
                It may have been switched off, or moved to another address. Ask the person who gave you the link for a new one.
              </${Empty}></div>`
          : data
            ? html`<${Status} report=${data} error=${error} />`
            : error
              ? html`<h1>Status</h1><${Failure} error=${error} retry=${reload} />`
              : html`<h1 class="visually-hidden">Status</h1><div class="card"><${Loading} lines=${6} /></div>`
      }
    </main>
    ${
      data &&
      !isGone &&
      html`<footer class="muted">Updated <${Time} at=${data.updated_at} />, and again every minute. Days are in UTC.</footer>`
    }
  `;
}

wearBrand();
const page = document.getElementById("page");
if (page) render(html`<${Page} />`, page);

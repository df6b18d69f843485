/** The health of a space: figures, over time, its connections, what fires, what comes in. */

import { at, queryText, useList, useResource } from "../../kit/api.js";
import {
  Badge,
  Button,
  CopyButton,
  Empty,
  Failure,
  Icon,
  Loading,
  number,
  percent,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/preact.js";
import { Chart, MEASURES, when } from "../chart.js";
import { stateOf, TO_DO } from "../connection_words.js";
import { Choice, healthOf, href, ListView, Switch, useQuery } from "../dashboard.js";
import { EVENT_HEADS, EventDetails, EventRow, firstEvent, TYPE_WORDS } from "../event_words.js";
import { SpaceFrame } from "../space_frame.js";

/**
 * @typedef {import("#api").components["schemas"]} Schemas
 * @typedef {import("../../vendor/preact.js").ComponentChildren} Children
 */

/** @type {[string, string][]} */
const PERIODS = [
  ["1", "1 day"],
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The API counts by hours for as many days. */
const HOURLY_DAYS = 31;

/** @param {{ slug: string }} props */
export default function Space({ slug }) {
  const [asked, setDays] = useQuery("days", "30");
  const [blame, setBlame] = useQuery("exclude_blame", "platform");
  const days = PERIODS.some(([known]) => known === asked) ? asked : "30";
  const path = at`/spaces/${slug}`;
  const counted = { days, exclude_blame: blame === "none" ? "none" : "" };
  const health = /** @type {import("../../kit/api.js").Resource<Schemas["HealthSummary"]>} */ (
    useResource(`${path}/integration-health${queryText(counted)}`, { every: 60 })
  );
  const connections = /** @type {import("../../kit/api.js").Listed<Schemas["ConnectionHealth"]>} */ (
    useList(`${path}/integration-health/connections?limit=10`, { every: 60 })
  );
  const names = new Map(connections.items.map((one) => [one.connection_id, one.name]));
  const nothing = health.data?.no_data && !health.data.platform_faults;
  const toggle = () => setBlame(blame === "none" ? "platform" : "none");
  return html`<${SpaceFrame} slug=${slug}>
    <div class="toolbar">
      <${Switch} label="Period" value=${days} options=${PERIODS} onChange=${setDays} />
      <label class="row" title="Tests that failed because of Patchbay itself, not because of a provider or a customer">
        <input type="checkbox" checked=${blame === "none"} onChange=${toggle} />
        Count platform faults as errors
      </label>
    </div>
    <${Figures} health=${health} />
    <${Firing} slug=${slug} />
    ${nothing ? html`<${FirstStep} slug=${slug} days=${days} />` : html`<${OverTime} slug=${slug} days=${days} counted=${counted} health=${health.data} />`}
    <${Connections} slug=${slug} list=${connections} />
    <${Live} slug=${slug} names=${names} />
  </${SpaceFrame}>`;
}

/**
 * A part of the page.
 *
 * @param {{ title: string, actions?: Children, children?: Children }} props
 */
const Section = ({ title, actions, children }) => html`
  <section class="card section">
    <div class="row spread"><h2>${title}</h2>${actions && html`<div class="row">${actions}</div>`}</div>
    ${children}
  </section>
`;

/** @param {{ health: import("../../kit/api.js").Resource<Schemas["HealthSummary"]> }} props */
function Figures({ health }) {
  const { data, error } = health;
  if (!data && error) return html`<${Failure} error=${error} retry=${health.reload} />`;
  if (!data) return html`<${Loading} lines=${2} />`;
  const { tone, word } = healthOf(data.success_rate, data.no_data);
  return html`<dl class="tiles">
    <div class="card">
      <dt>Success rate</dt>
      <dd class=${`figure toned ${tone}`}>${data.no_data ? "–" : percent(data.success_rate)}</dd>
      <dd class="muted">${word}</dd>
    </div>
    <div class="card">
      <dt>Events</dt>
      <dd class="figure">${number(data.total_events)}</dd>
      <dd class="muted">${number(data.error_count)} ${data.error_count === 1 ? "error" : "errors"}</dd>
    </div>
    <div class="card">
      <dt>Last success</dt>
      <dd class="figure small"><${Time} at=${data.last_success_at} none="none" /></dd>
      <dd class="muted">in ${number(data.period_days)} ${data.period_days === 1 ? "day" : "days"}</dd>
    </div>
    <div class="card">
      <dt>Last error</dt>
      <dd class="figure small"><${Time} at=${data.last_error_at} none="none" /></dd>
      <dd class="muted">${data.platform_faults ? `${number(data.platform_faults)} platform faults` : "no platform fault"}</dd>
    </div>
  </dl>`;
}

/** @param {{ slug: string, days: string }} props */
function FirstStep({ slug, days }) {
  const text = firstEvent(slug);
  return html`<${Section} title="No event in this period">
    <p>
      An event says that something succeeded or failed: a sync, a check, a webhook. Tests of connections are events, too.
      ${days === "1" || days === "7" ? " Choose a longer period, or send one:" : " Send a first one:"}
    </p>
    <pre tabindex="0">${text}</pre>
    <div class="row"><${CopyButton} text=${text} label="Copy the command" /></div>
  </${Section}>`;
}

// ---------------------------------------------------------------- over time

/**
 * @param {{ slug: string, days: string, counted: Record<string, string>,
 *   health: Schemas["HealthSummary"] | null }} props
 */
function OverTime({ slug, days, counted, health }) {
  const [measure, setMeasure] = useQuery("measure", "events");
  const [type, setType] = useQuery("type");
  const [view, setView] = useQuery("view", "chart");
  const [from, setFrom] = useQuery("from");
  const [until, setUntil] = useQuery("until");
  const start = Date.parse(from);
  const end = Date.parse(until);
  const zoomed = end > start;
  const close = Number(days) <= 7 || (zoomed && end - start <= 3 * DAY_MS && Number(days) <= HOURLY_DAYS);
  const interval = close ? "hour" : "day";
  const query = { ...counted, interval, integration_type: Object.hasOwn(TYPE_WORDS, type) ? type : "" };
  const read = /** @type {import("../../kit/api.js").Resource<Schemas["HealthSeries"]>} */ (
    useResource(`${at`/spaces/${slug}`}/integration-health/series${queryText(query)}`, { every: 300 })
  );
  const kind = Object.hasOwn(MEASURES, measure) ? measure : "events";
  const all = read.data?.points;
  const points = useMemo(() => {
    const size = interval === "day" ? DAY_MS : HOUR_MS;
    const inside = (/** @type {Schemas["SeriesPoint"]} */ point) => {
      const time = Date.parse(point.starts_at);
      return !zoomed || (time + size > start && time < end);
    };
    return (all ?? []).filter(inside);
  }, [all, interval, zoomed, start, end]);
  /** @param {string} first @param {string} last when the first and the last point start */
  const zoom = (first, last) => {
    const size = interval === "day" ? DAY_MS : HOUR_MS;
    setFrom(first);
    // The first day of a period starts with an hour: all others end at midnight.
    const over = Math.floor(Date.parse(last) / size) * size + size;
    setUntil(new Date(over).toISOString().replace(".000", ""));
  };
  const reset = () => {
    setFrom("");
    setUntil("");
  };
  const choices = /** @type {[string, string][]} */ ([
    ["", "All types"],
    ...(health?.by_integration_type ?? []).map((one) => [
      one.integration_type,
      TYPE_WORDS[one.integration_type],
    ]),
    ...(Object.hasOwn(TYPE_WORDS, type) &&
    !health?.by_integration_type.some((one) => one.integration_type === type)
      ? [[type, TYPE_WORDS[/** @type {Schemas["IntegrationType"]} */ (type)]]]
      : []),
  ]);
  return html`<${Section}
    title="Over time"
    actions=${html`<${Switch} label="What is shown" value=${kind} onChange=${setMeasure}
        options=${Object.entries(MEASURES).map(([key, one]) => [key, one.word])} />
      <${Switch} label="View" value=${view === "table" ? "table" : "chart"} onChange=${setView}
        options=${[["chart", "Chart"], ["table", "Table"]]} />`}
  >
    <div class="toolbar">
      <${Choice} label="Type" value=${type} options=${choices} onChange=${setType} />
      ${points.length > 0 && all && html`<${Range} all=${all} points=${points} interval=${interval} onZoom=${zoom} />`}
      ${
        zoomed &&
        html`<${Button} kind="small" onClick=${reset}>Show all</${Button}>
          <a href=${href(at`/spaces/${slug}/events`, { since: from, until, ...(type ? { type } : {}) })}>Events of this time</a>`
      }
    </div>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} />`}
    ${!read.data && !read.error && html`<${Loading} lines=${6} />`}
    ${
      points.length > 0 &&
      (view === "table"
        ? html`<${Points} points=${points} interval=${interval} />`
        : html`<${Chart} points=${points} measure=${kind} interval=${interval} onZoom=${zoom} onReset=${reset}
            label=${`${MEASURES[kind]?.word} over time. The table view has the numbers.`} />
          <p class="muted hint">Drag over the chart to look closer.</p>`)
    }
    ${health && health.by_integration_type.length > 0 && html`<${ByType} types=${health.by_integration_type} type=${type} onType=${setType} />`}
  </${Section}>`;
}

/**
 * What is shown, by its first and last point: the same as dragging, without it.
 *
 * @param {{ all: Schemas["SeriesPoint"][], points: Schemas["SeriesPoint"][], interval: "hour" | "day",
 *   onZoom: (from: string, to: string) => void }} props
 */
function Range({ all, points, interval, onZoom }) {
  const options = /** @type {[string, string][]} */ (
    all.map((point) => [point.starts_at, when(point.starts_at, interval)])
  );
  const first = points[0]?.starts_at ?? "";
  const last = points.at(-1)?.starts_at ?? "";
  return html`<${Choice} label="From" value=${first} options=${options.filter(([time]) => time <= last)}
      onChange=${(/** @type {string} */ time) => onZoom(time, last)} />
    <${Choice} label="to" value=${last} options=${options.filter(([time]) => time >= first)}
      onChange=${(/** @type {string} */ time) => onZoom(first, time)} />`;
}

/** @param {{ points: Schemas["SeriesPoint"][], interval: "hour" | "day" }} props */
const Points = ({ points, interval }) => html`
  <div class="tall">
    <${Table} caption="Events over time" heads=${[
      "From",
      html`<span class="numeric">Events</span>`,
      html`<span class="numeric">Errors</span>`,
      html`<span class="numeric">Success rate</span>`,
      html`<span class="numeric wide">Median ms</span>`,
      html`<span class="numeric wide">95th percentile ms</span>`,
    ]}>
      ${[...points].reverse().map(
        (point) => html`<tr key=${point.starts_at}>
          <th scope="row" class="nowrap">${when(point.starts_at, interval)}</th>
          <td class="numeric">${number(point.total)}</td>
          <td class="numeric">${number(point.errors)}</td>
          <td class="numeric">${point.no_data ? "–" : percent(point.success_rate)}</td>
          <td class="numeric wide">${point.latency.p50_ms == null ? "–" : number(point.latency.p50_ms)}</td>
          <td class="numeric wide">${point.latency.p95_ms == null ? "–" : number(point.latency.p95_ms)}</td>
        </tr>`,
      )}
    </${Table}>
  </div>
`;

/** @param {{ types: Schemas["TypeHealth"][], type: string, onType: (type: string) => void }} props */
const ByType = ({ types, type, onType }) => html`
  <${Table} caption="By type" heads=${[
    "Type",
    html`<span class="numeric">Success rate</span>`,
    html`<span class="numeric">Events</span>`,
    html`<span class="numeric">Errors</span>`,
    html`<span class="wide">Last event</span>`,
  ]}>
    ${types.map((one) => {
      const rate = one.total ? (100 * one.success) / one.total : 0;
      const chosen = one.integration_type === type;
      return html`<tr key=${one.integration_type} class="linked">
        <th scope="row">
          <button type="button" class="whole" aria-pressed=${chosen ? "true" : "false"}
            onClick=${() => onType(chosen ? "" : one.integration_type)}>${TYPE_WORDS[one.integration_type]}</button>
        </th>
        <td class=${`numeric toned ${healthOf(rate, !one.total).tone}`}>${one.total ? percent(rate) : "–"}</td>
        <td class="numeric">${number(one.total)}</td>
        <td class="numeric">${number(one.errors)}</td>
        <td class="wide"><${Time} at=${one.last_event_at} /></td>
      </tr>`;
    })}
  </${Table}>
`;

// ---------------------------------------------------------------- what needs somebody

/** @param {{ slug: string }} props */
function Firing({ slug }) {
  const path = at`/spaces/${slug}`;
  const read = /** @type {import("../../kit/api.js").Resource<Schemas["AlertList"]>} */ (
    useResource(`${path}/alerts?state=firing&limit=5`, { every: 60 })
  );
  const alerts = read.data?.items ?? [];
  if (!alerts.length && !read.error) return null;
  return html`<${Section} title="Firing alerts" actions=${html`<a href=${href(`${path}/alerts`)}>All alerts</a>`}>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} />`}
    <ul class="rows">
      ${alerts.map(
        (alert) => html`<li key=${alert.id}>
          <${Badge} tone=${alert.severity === "critical" ? "bad" : alert.severity === "warning" ? "warn" : "info"}>${alert.severity}</${Badge}>
          <a href=${href(at`/spaces/${slug}/alerts/${alert.id}`)}><bdi>${alert.rule_name}</bdi></a>
          <span class="muted nowrap"><${Time} at=${alert.fired_at ?? alert.opened_at} /></span>
          <div class="muted full"><bdi>${alert.summary}</bdi></div>
        </li>`,
      )}
    </ul>
  </${Section}>`;
}

/** @param {{ slug: string, list: import("../../kit/api.js").Listed<Schemas["ConnectionHealth"]> }} props */
const Connections = ({ slug, list }) => html`
  <${Section} title="Connections, worst first"
    actions=${list.items.length > 0 && html`<a href=${href("/connections", { space: slug })}>Search connections</a>`}>
    <${ListView} list=${list}
      empty=${html`<${Empty} icon="plug" title="No connection yet"
        action=${html`<a class="button" href=${href("/catalog")}>Choose an integration</a>`}>
        A connection uses an integration with the credentials of a customer.
      </${Empty}>`}>
      <${Table} caption="Connections, worst first" heads=${[
        "Connection",
        "Health",
        html`<span class="wide">Since</span>`,
        html`<span class="wide">To do</span>`,
        html`<span class="wide">Last success</span>`,
      ]}>
        ${list.items.map((one) => html`<${ConnectionRow} key=${one.connection_id} one=${one} />`)}
      </${Table}>
    </${ListView}>
  </${Section}>
`;

/** @param {{ one: Schemas["ConnectionHealth"] }} props */
function ConnectionRow({ one }) {
  const late = one.stale && one.lifecycle === "active" && one.status === "connected";
  const [tone, word] = late ? ["warn", "Stale"] : stateOf(one.lifecycle, one.status);
  return html`<tr class="linked">
    <th scope="row">
      <a class="whole" href=${href(at`/connections/${one.connection_id}`)}><bdi>${one.name}</bdi></a>
      ${one.error_code && html`<div class="muted mono below">${one.error_code}</div>`}
    </th>
    <td><${Badge} tone=${tone}>${word}</${Badge}></td>
    <td class="wide nowrap"><${Time} at=${one.since} none="–" /></td>
    <td class="wide nowrap">${one.required_action === "none" ? html`<span class="muted">–</span>` : TO_DO[one.required_action]}</td>
    <td class="wide nowrap"><${Time} at=${one.last_success_at} /></td>
  </tr>`;
}

// ---------------------------------------------------------------- what comes in

/** How long what came in is marked as new. */
const FRESH_MS = 60_000;

/**
 * Which of these events came in while the page was open, and how many with the last look.
 *
 * @param {Schemas["Event"][] | null} events
 */
function useFresh(events) {
  const seen = useRef(/** @type {Map<string, number> | null} */ (null));
  const [fresh, setFresh] = useState({ ids: new Set([""]), came: 0 });
  useEffect(() => {
    if (!events) return;
    const now = Date.now();
    const before = seen.current;
    const times = new Map(before ?? []);
    let came = 0;
    for (const event of events) {
      if (times.has(event.id)) continue;
      // What was there at the first look isn't new.
      times.set(event.id, before ? now : 0);
      if (before) came += 1;
    }
    seen.current = times;
    setFresh({
      ids: new Set([...times].filter(([, time]) => now - time < FRESH_MS).map(([id]) => id)),
      came,
    });
  }, [events]);
  return fresh;
}

/** @param {{ slug: string, names: Map<string, string> }} props */
function Live({ slug, names }) {
  const path = at`/spaces/${slug}`;
  const read = /** @type {import("../../kit/api.js").Resource<Schemas["EventList"]>} */ (
    useResource(`${path}/integration-events?limit=10`, { every: 15 })
  );
  const events = read.data?.items ?? null;
  const fresh = useFresh(events);
  const [open, setOpen] = useState(/** @type {Schemas["Event"] | null} */ (null));
  return html`<${Section} title="Latest events"
    actions=${html`
      ${events && !read.error && html`<span class="live muted"><span class="pulse" aria-hidden="true"></span>Live</span>`}
      <a href=${href(`${path}/events`)}>All events</a>`}
  >
    <p class="visually-hidden" role="status">${fresh.came > 0 && `${fresh.came} new ${fresh.came === 1 ? "event" : "events"}`}</p>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} title=${events ? "New events can't be read" : undefined} />`}
    ${!events && !read.error && html`<${Loading} lines=${5} />`}
    ${
      events &&
      (events.length
        ? html`<${Table} caption="Latest events" heads=${EVENT_HEADS}>
            ${events.map(
              (event) => html`<${EventRow} key=${event.id} event=${event} onOpen=${setOpen}
                fresh=${fresh.ids.has(event.id)} connection=${names.get(event.connection_id ?? "")} />`,
            )}
          </${Table}>`
        : html`<p class="muted row"><${Icon} name="list" />What comes in is shown here within 15 seconds.</p>`)
    }
    ${open && html`<${EventDetails} event=${open} connection=${names.get(open.connection_id ?? "")} onClose=${() => setOpen(null)} />`}
  </${Section}>`;
}

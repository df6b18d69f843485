/** The spaces of an organization, those that do worst first. */

import { at, useAction, useList } from "../../kit/api.js";
import { Badge, Button, Empty, Icon, number, percent, Sparkline, Table } from "../../kit/elements.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import {
  go,
  healthOf,
  href,
  ListView,
  MANAGE,
  PageHead,
  SearchField,
  Switch,
  useQuery,
  useSession,
} from "../dashboard.js";
import { FormDialog, slugOf, TextField, unshown } from "../fields.js";

/** @typedef {import("#api").components["schemas"]["SpaceHealth"]} SpaceHealth */

/** @type {[string, string][]} */
const PERIODS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];
/** As many as the API ranks together. */
const RANKED = 100;

export default function Overview() {
  const { session, organization } = useSession();
  const alone = session.space;
  useEffect(() => {
    // Who may see one space alone has nothing to compare.
    if (alone) go(href(at`/spaces/${alone.slug}`), { replace: true });
  }, []);
  return alone ? null : html`<${Spaces} organization=${organization} />`;
}

/** @param {{ organization: string }} props */
function Spaces({ organization }) {
  const { why } = useSession();
  const [days, setDays] = useQuery("days", "30");
  const [search, setSearch] = useQuery("q");
  const [adding, setAdding] = useState(false);
  const period = PERIODS.some(([known]) => known === days) ? days : "30";
  const list = /** @type {import("../../kit/api.js").Listed<SpaceHealth>} */ (
    useList(`${organization}/integration-health?days=${period}&limit=${RANKED}`, { every: 120 })
  );
  const wanted = search.trim().toLowerCase();
  const found = list.items.filter((one) => `${one.name} ${one.slug}`.toLowerCase().includes(wanted));
  const add = html`<${Button} kind="primary" why=${why(MANAGE)} onClick=${() => setAdding(true)}>
    <${Icon} name="plus" />New space
  </${Button}>`;
  return html`<div class="stack">
    <${PageHead} title="Overview" actions=${list.items.length > 0 && add} />
    <${ListView}
      list=${list}
      empty=${html`<div class="card"><${Empty} icon="space" title="No space yet" action=${add}>
        A space is one environment of a customer, such as production. Its connections, events, and alerts are kept apart
        from those of others. Begin with one.
      </${Empty}></div>`}
    >
      <${Totals} spaces=${list.items} more=${Boolean(list.more)} />
      <div class="toolbar">
        <${SearchField} label="Search spaces" value=${search} onChange=${setSearch} />
        <${Switch} label="Period" value=${period} options=${PERIODS} onChange=${setDays} />
      </div>
      ${
        found.length
          ? html`<div class="card flush"><${Ranked} spaces=${found} days=${period} /></div>`
          : html`<div class="card"><${Empty} icon="search" title="No space matches"
              action=${html`<${Button} onClick=${() => setSearch("")}>Clear the search</${Button}>`}>
              ${list.more ? `Only the ${list.items.length} spaces that are loaded were searched.` : "Names and slugs were searched."}
            </${Empty}></div>`
      }
    </${ListView}>
    ${adding && html`<${NewSpace} organization=${organization} onClose=${() => setAdding(false)} />`}
  </div>`;
}

/**
 * All spaces as one.
 *
 * @param {{ spaces: SpaceHealth[], more: boolean }} props
 */
function Totals({ spaces, more }) {
  const events = spaces.reduce((sum, one) => sum + one.total_events, 0);
  const errors = spaces.reduce((sum, one) => sum + one.error_count, 0);
  const failing = spaces.filter((one) => healthOf(one.success_rate, one.no_data).tone === "bad").length;
  const rate = events ? (100 * (events - errors)) / events : 0;
  const overall = healthOf(rate, !events);
  return html`<dl class="tiles">
    <div class="card">
      <dt>Success rate</dt>
      <dd class=${`figure toned ${overall.tone}`}>${events ? percent(rate) : "–"}</dd>
      <dd class="muted">${overall.word}</dd>
    </div>
    <div class="card">
      <dt>Spaces</dt>
      <dd class="figure">${number(spaces.length)}${more && "+"}</dd>
      <dd class=${failing ? "toned bad" : "muted"}>${failing ? `${number(failing)} failing` : "none failing"}</dd>
    </div>
    <div class="card">
      <dt>Events</dt>
      <dd class="figure">${number(events)}</dd>
      <dd class="muted">in ${spaces[0]?.period_days} days</dd>
    </div>
    <div class="card">
      <dt>Errors</dt>
      <dd class="figure">${number(errors)}</dd>
      <dd class="muted">${events ? `${number(events - errors)} succeeded` : "nothing came in"}</dd>
    </div>
  </dl>`;
}

/** @param {{ spaces: SpaceHealth[], days: string }} props */
const Ranked = ({ spaces, days }) => html`
  <${Table}
    caption="Spaces, worst first"
    heads=${["Space", html`<span class="wide">Health</span>`, html`<span class="numeric">Success rate</span>`, "Trend", html`<span class="wide">By day</span>`, html`<span class="numeric wide">Events</span>`, html`<span class="numeric wide">Errors</span>`]}
  >
    ${spaces.map((one) => html`<${Ranking} key=${one.space_id} one=${one} days=${days} />`)}
  </${Table}>
`;

/** @param {{ one: SpaceHealth, days: string }} props */
function Ranking({ one, days }) {
  const { tone, word } = healthOf(one.success_rate, one.no_data);
  const rates = one.series.map((day) => (day.no_data ? null : day.success_rate));
  const query = /** @type {Record<string, string>} */ (days === "30" ? {} : { days });
  return html`<tr class="linked">
    <th scope="row">
      <a class="whole" href=${href(at`/spaces/${one.slug}`, query)}><bdi>${one.name}</bdi></a>
      <div class="muted mono below">${one.slug}</div>
    </th>
    <td class="wide"><${Badge} tone=${tone}>${word}</${Badge}></td>
    <td class="numeric">
      <span class="strong">${one.no_data ? "–" : percent(one.success_rate)}</span>
      <div class="narrow"><${Badge} tone=${tone}>${word}</${Badge}></div>
    </td>
    <td class="nowrap"><${Trend} one=${one} /></td>
    <td class="wide spark-cell"><${Sparkline} ...${line(rates)} tone=${tone} label=${said(rates)} /></td>
    <td class="numeric wide">${number(one.total_events)}</td>
    <td class="numeric wide">${number(one.error_count)}</td>
  </tr>`;
}

/**
 * Rates as a line that shows what matters: the last percents, or as far down as it went.
 *
 * @param {(number | null)[]} rates
 */
function line(rates) {
  const lowest = Math.min(90, ...rates.filter((rate) => rate !== null));
  return { values: rates.map((rate) => (rate === null ? null : rate - lowest)), top: 100 - lowest };
}

/** @param {(number | null)[]} rates */
function said(rates) {
  const known = rates.filter((rate) => rate !== null);
  if (!known.length) return "No events on any day";
  return `Success rate by day, from ${percent(Math.min(...known))} to ${percent(Math.max(...known))}`;
}

/** How the success rate differs from that of the period before. @param {{ one: SpaceHealth }} props */
function Trend({ one }) {
  const points = one.difference?.success_rate ?? null;
  if (points === null) return html`<span class="muted" title="There is nothing to compare with">–</span>`;
  const size = Math.abs(points).toFixed(Math.abs(points) < 10 ? 1 : 0);
  if (Number(size) === 0) return html`<span class="muted">unchanged</span>`;
  const better = points > 0;
  const before = one.previous ? percent(one.previous.success_rate) : "";
  return html`<span class=${`toned ${better ? "ok" : "bad"}`} title=${`${before} in the period before`}>
    <span aria-hidden="true">${better ? "↑" : "↓"}</span>
    <span class="visually-hidden">${better ? "up" : "down"}</span> ${size} pts
  </span>`;
}

/** @param {{ organization: string, onClose: () => void }} props */
function NewSpace({ organization, onClose }) {
  const [name, setName] = useState("");
  const [slug, setSlug] = useState(/** @type {string | null} */ (null));
  const making = useAction();
  const chosen = slug ?? slugOf(name);
  const make = async () => {
    const made = await making.run(`${organization}/spaces`, { body: { name, slug: chosen } });
    if (made) go(href(at`/spaces/${made.slug}`));
  };
  const error = unshown(making.error, ["/name", "/slug"]);
  return html`<${FormDialog} title="New space" confirm="Create space" busy=${making.busy} error=${error}
    failed="It was not created" onSubmit=${make} onClose=${onClose}>
    <${TextField} label="Name" required autofocus value=${name} onChange=${setName} error=${making.errorAt("/name")} />
    <${TextField} label="Slug" required code value=${chosen} onChange=${setSlug} error=${making.errorAt("/slug")}
      help="It is part of addresses, and stays. Lowercase letters, digits, and hyphens." />
  </${FormDialog}>`;
}

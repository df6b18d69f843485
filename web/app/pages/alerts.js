/** The alerts of a space: those that fire come first. */

import { at, queryText, useAction, useList, useResource } from "../../kit/api.js";
import { Badge, Button, day, Empty, exactly, Failure, notify, Table } from "../../kit/elements.js";
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/preact.js";
import { lastingOf, SeverityBadge, stateOf } from "../alert_words.js";
import { Choice, href, ListView, MANAGE, useQuery, useSession } from "../dashboard.js";
import { SpaceFrame } from "../space_frame.js";

/**
 * @typedef {import("#api").components["schemas"]["Alert"]} Alert
 * @typedef {import("#api").components["schemas"]["AlertList"]} AlertList
 * @typedef {import("#api").components["schemas"]["AlertRuleList"]} AlertRuleList
 */

/** @type {Intl.DateTimeFormatOptions} */
const TO_THE_MINUTE = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
/** @type {[string, string][]} */
const STATES = [
  ["", "All"],
  ["firing", "Firing"],
  ["acknowledged", "Acknowledged"],
  ["pending", "Pending"],
  ["resolved", "Resolved"],
];

/** @param {{ slug: string }} props */
export default function Alerts({ slug }) {
  return html`<${SpaceFrame} slug=${slug}><${List} slug=${slug} /></${SpaceFrame}>`;
}

/** @param {{ slug: string }} props */
function List({ slug }) {
  const { can } = useSession();
  const path = at`/spaces/${slug}`;
  const [state, setState] = useQuery("state");
  const [rule, setRule] = useQuery("rule");
  const rules = /** @type {import("../../kit/api.js").Resource<AlertRuleList>} */ (
    useResource(`${path}/alert-rules?limit=100`)
  );
  // What fires may be older than a page of the list, which has the newest first.
  const firing = /** @type {import("../../kit/api.js").Resource<AlertList>} */ (
    useResource(state ? null : `${path}/alerts${queryText({ state: "firing", rule_id: rule, limit: 100 })}`, {
      every: 30,
    })
  );
  const list = /** @type {import("../../kit/api.js").Listed<Alert>} */ (
    useList(`${path}/alerts${queryText({ state, rule_id: rule, limit: 50 })}`)
  );
  const [changed, setChanged] = useState(/** @type {Record<string, Alert>} */ ({}));
  const open = firing.data?.items ?? [];
  const ids = open.map((alert) => alert.id).join();
  const known = useRef(/** @type {string | null} */ (null));
  useEffect(() => {
    if (!firing.data) return;
    // One began or ended: the list is not that of a moment ago.
    if (known.current !== null && known.current !== ids) list.reload();
    known.current = ids;
  }, [firing.data, ids, list.reload]);
  const rows = useMemo(() => {
    const first = new Set(open.map((alert) => alert.id));
    const all = [...open, ...list.items.filter((alert) => !first.has(alert.id))];
    const shown = all.map((alert) => changed[alert.id] ?? alert);
    return state ? shown : shown.sort((one, other) => rank(one) - rank(other));
  }, [firing.data, list.items, changed, state]);
  /** @param {Alert} alert */
  const show = (alert) => setChanged((before) => ({ ...before, [alert.id]: alert }));
  const noRule = rules.data?.items.length === 0;
  const empty = html`<${Empty} icon="bell" title=${noRule ? "Nothing is watched in this space yet" : state || rule ? "No alert is like that" : "No alert so far"}
    action=${noRule && can(MANAGE) ? html`<a class="button primary" href=${href(at`/spaces/${slug}/rules/new`)}>Make a rule</a>` : undefined}>
    ${noRule ? "A rule says what is watched, and who hears of it." : "Alerts stay here for 90 days after they end."}</${Empty}>`;
  /** @type {[string, string][]} */
  const ruleChoices = [
    ["", "All"],
    .../** @type {[string, string][]} */ ((rules.data?.items ?? []).map((one) => [one.id, one.name])),
  ];
  if (rule && !ruleChoices.some(([id]) => id === rule)) ruleChoices.push([rule, "A deleted rule"]);
  return html`
    <div class="toolbar">
      <${Choice} label="State" value=${state} options=${STATES} onChange=${setState} />
      <${Choice} label="Rule" value=${rule} options=${ruleChoices} onChange=${setRule} />
    </div>
    ${firing.error && html`<${Failure} error=${firing.error} retry=${firing.reload} title="What fires can't be read" />`}
    <div class="card flush">
      <${ListView} list=${list} empty=${empty}><${Rows} slug=${slug} alerts=${rows} onChange=${show} /></${ListView}>
    </div>
  `;
}

/** What fires and nobody has seen is first. @param {Alert} alert */
const rank = (alert) =>
  alert.state === "firing" ? (alert.acknowledged_at ? 1 : 0) : alert.state === "pending" ? 2 : 3;

/** @param {{ slug: string, alerts: Alert[], onChange: (alert: Alert) => void }} props */
const Rows = ({ slug, alerts, onChange }) => html`
  <${Table} caption="Alerts" heads=${["Alert", wide("State"), wide("Severity"), wide("Began"), html`<span class="visually-hidden">Actions</span>`]}>
    ${alerts.map((alert) => {
      const [tone, word] = stateOf(alert);
      const began = alert.fired_at ?? alert.opened_at;
      const { name } = alert.subject;
      // Its name stands beside the rule's already.
      const summary =
        name && alert.summary.startsWith(`${name}: `) ? alert.summary.slice(name.length + 2) : alert.summary;
      const lasted = `${alert.state === "resolved" ? "after" : "for"} ${lastingOf(alert)}`;
      return html`<tr key=${alert.id}>
        <th scope="row">
          <div class="narrow"><${Badge} tone=${tone}>${word}</${Badge}> ${lasted}</div>
          <a href=${href(at`/spaces/${slug}/alerts/${alert.id}`)}><bdi>${alert.rule_name}</bdi></a>
          ${name && html`<span class="muted second"> · <bdi>${name}</bdi></span>`}
          <div class="muted second clamp" dir="auto" title=${summary}>${summary}</div></th>
        <td class="wide line"><${Badge} tone=${tone}>${word}</${Badge}> <span class="muted">${lasted}</span></td>
        <td class="wide"><${SeverityBadge} severity=${alert.severity} /></td>
        <td class="wide line muted" title=${exactly(began)}>${day(began, TO_THE_MINUTE)}</td>
        <td class="line"><${Acknowledge} slug=${slug} alert=${alert} onChange=${onChange} /></td>
      </tr>`;
    })}
  </${Table}>
`;

/** A head that narrow pages leave out with its column. @param {string} word */
const wide = (word) => html`<span class="wide">${word}</span>`;

/** @param {{ slug: string, alert: Alert, onChange: (alert: Alert) => void }} props */
function Acknowledge({ slug, alert, onChange }) {
  const { why } = useSession();
  const action = useAction();
  if (alert.state !== "firing" || alert.acknowledged_at) return null;
  const run = async () => {
    const acknowledged = await action.run(at`/spaces/${slug}/alerts/${alert.id}/acknowledge`);
    if (!acknowledged) return;
    onChange(acknowledged);
    notify("Acknowledged: no reminders are sent");
  };
  return html`<${Button} kind="small" why=${why(MANAGE)} busy=${action.busy} onClick=${run}>Acknowledge</${Button}>
    ${action.error && html`<${Failure} error=${action.error} title="It was not acknowledged" />`}`;
}

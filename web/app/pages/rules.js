/** The alert rules of a space. */

import { at, useAction, useList } from "../../kit/api.js";
import { Button, Empty, Failure, notify, Table } from "../../kit/elements.js";
import { html, useState } from "../../vendor/preact.js";
import { conditionInWords, SeverityBadge } from "../alert_words.js";
import { href, ListView, MANAGE, SearchField, useQuery, useSession } from "../dashboard.js";
import { SpaceFrame } from "../space_frame.js";

/** @typedef {import("#api").components["schemas"]["AlertRule"]} AlertRule */

/** @param {{ slug: string }} props */
export default function Rules({ slug }) {
  const { can } = useSession();
  const make =
    can(MANAGE) && html`<a class="button primary" href=${href(at`/spaces/${slug}/rules/new`)}>New rule</a>`;
  return html`<${SpaceFrame} slug=${slug}><${List} slug=${slug} make=${make} /></${SpaceFrame}>`;
}

/** @param {{ slug: string, make: unknown }} props */
function List({ slug, make }) {
  const [q, setQ] = useQuery("q");
  const list = /** @type {import("../../kit/api.js").Listed<AlertRule>} */ (
    useList(`${at`/spaces/${slug}`}/alert-rules?limit=100`)
  );
  // A space has at most 50 rules: they are all here.
  const wanted = q.toLowerCase();
  const shown = list.items.filter((rule) =>
    `${rule.name} ${conditionInWords(rule.condition)}`.toLowerCase().includes(wanted),
  );
  const empty = html`<${Empty} icon="bell" title="Nothing is watched in this space yet" action=${make}>
    A rule says what is watched, and who hears of it. Before you save one, you see when it would have fired.</${Empty}>`;
  return html`
    ${
      list.items.length > 0 &&
      html`<div class="toolbar spread"><${SearchField} label="Search rules" value=${q} onChange=${setQ} />${make}</div>`
    }
    <div class="card flush">
      <${ListView} list=${list} empty=${empty}>
        ${
          shown.length
            ? html`<${Table} caption="Rules" heads=${["Rule", html`<span class="wide">Severity</span>`, html`<span class="wide">Told</span>`, "On"]}>
                ${shown.map((rule) => html`<${Row} key=${rule.id} rule=${rule} slug=${slug} />`)}
              </${Table}>`
            : html`<${Empty} icon="search" title="No rule is called so"
                action=${html`<${Button} onClick=${() => setQ("")}>Clear the search</${Button}>`} />`
        }
      </${ListView}>
    </div>
  `;
}

/** @type {Record<string, string>} */
const KINDS = { webhook: "webhook", sns: "SNS", eventbridge: "EventBridge" };

/** @param {{ rule: AlertRule, slug: string }} props */
function Row({ rule, slug }) {
  const { can, why } = useSession();
  const [on, setOn] = useState(rule.enabled);
  const turning = useAction();
  const turn = async () => {
    const body = { enabled: !on };
    const path = at`/spaces/${slug}/alert-rules/${rule.id}`;
    if (!(await turning.run(path, { method: "PATCH", body }))) return;
    setOn(!on);
    notify(on ? "Off: its alerts end" : "On: it is evaluated each minute");
  };
  return html`<tr>
    <th scope="row"><a href=${href(at`/spaces/${slug}/rules/${rule.id}`)}><bdi>${rule.name}</bdi></a>
      <div class="muted second">${conditionInWords(rule.condition)}</div>
      ${turning.error && html`<${Failure} error=${turning.error} title="It was not switched" />`}</th>
    <td class="wide"><${SeverityBadge} severity=${rule.severity} /></td>
    <td class="wide muted">${rule.channels.map((channel) => KINDS[channel.kind]).join(", ") || "nobody"}</td>
    <td><label class="check" title=${why(MANAGE) ?? undefined}>
      <input type="checkbox" role="switch" checked=${on} disabled=${turning.busy || !can(MANAGE)} onChange=${turn} />
      <span class="visually-hidden">${rule.name}</span></label></td>
  </tr>`;
}

/** An alert: what is wrong, how it went, and who was told. */

import { ApiError, at, useAction, useList, useResource } from "../../kit/api.js";
import {
  Badge,
  Button,
  day,
  duration,
  Empty,
  exactly,
  Failure,
  Loading,
  notify,
  number,
  Time,
} from "../../kit/elements.js";
import { html } from "../../vendor/preact.js";
import { lastingOf, SeverityBadge, Subject, stateOf, whyEnded } from "../alert_words.js";
import { TO_DO } from "../connection_words.js";
import { Back, href, ListView, MANAGE, PageHead, useSession } from "../dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Alert"]} Alert
 * @typedef {import("#api").components["schemas"]["AlertRule"]} AlertRule
 * @typedef {import("#api").components["schemas"]["Delivery"]} Delivery
 * @typedef {import("#api").components["schemas"]["Channel"]} Channel
 * @typedef {import("../../kit/elements.js").Tone} Tone
 */

/** @type {Intl.DateTimeFormatOptions} */
const TO_THE_SECOND = {
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
};

/** @param {{ slug: string, alertId: string }} props */
export default function AlertPage({ slug, alertId }) {
  const space = at`/spaces/${slug}`;
  const path = space + at`/alerts/${alertId}`;
  const read = /** @type {import("../../kit/api.js").Resource<Alert>} */ (useResource(path, { every: 30 }));
  const alert = read.data;
  const rule = /** @type {import("../../kit/api.js").Resource<AlertRule>} */ (
    useResource(alert && space + at`/alert-rules/${alert.rule_id}`)
  );
  const above = html`<${Back} href=${href(`${space}/alerts`)}>Alerts of ${slug}</${Back}>`;
  if (!alert) {
    return html`<div class="stack"><${PageHead} title="Alert" above=${above} />
      ${read.error ? html`<${Failure} error=${read.error} retry=${read.reload} title="This alert can't be shown" />` : html`<${Loading} lines=${5} />`}
    </div>`;
  }
  const gone = rule.error instanceof ApiError && rule.error.status === 404;
  return html`<div class="stack">
    <${PageHead} title=${alert.rule_name} above=${above} actions=${html`<${Actions} alert=${alert} path=${path} onDone=${read.reload} />`}>
      <p class="row muted"><${SeverityBadge} severity=${alert.severity} />
        ${gone ? "Its rule is deleted" : html`<a href=${href(space + at`/rules/${alert.rule_id}`)}>Its rule</a>`}
        <span class="wide" aria-hidden="true">·</span><code>${alert.id}</code></p>
    </${PageHead}>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} title="What you see may be old" />`}
    <div class="beside">
      <div class="stack">
        <${Summary} alert=${alert} slug=${slug} />
        <${Deliveries} path=${path} channels=${rule.data?.channels ?? []} />
      </div>
      <${Course} alert=${alert} />
    </div>
  </div>`;
}

/** @param {{ alert: Alert, path: string, onDone: () => void }} props */
function Actions({ alert, path, onDone }) {
  const { why } = useSession();
  const action = useAction();
  const acknowledge = async () => {
    if (!(await action.run(`${path}/acknowledge`))) return;
    notify("Acknowledged: no reminders are sent");
    onDone();
  };
  return html`
    ${
      alert.state === "firing" &&
      !alert.acknowledged_at &&
      html`<${Button} kind="primary" why=${why(MANAGE)} busy=${action.busy} onClick=${acknowledge}>Acknowledge</${Button}>`
    }
    ${action.error && html`<${Failure} error=${action.error} title="It was not acknowledged" />`}
  `;
}

/** @param {{ alert: Alert, slug: string }} props */
function Summary({ alert, slug }) {
  const [tone, word] = stateOf(alert);
  const { connection } = alert;
  const now =
    alert.state === "resolved"
      ? `It lasted ${lastingOf(alert)}, and ended because ${whyEnded(alert.resolution)}.`
      : alert.state === "pending"
        ? `The condition is met for ${lastingOf(alert)}. It has not fired yet.`
        : `Firing for ${lastingOf(alert)} now.`;
  return html`<section class=${`card state ${tone}`} aria-label="Summary">
    <div class="row"><${Badge} tone=${tone}>${word}</${Badge}><span class="muted">About</span> <${Subject} subject=${alert.subject} slug=${slug} /></div>
    <h2 class="summary" dir="auto">${alert.summary}</h2>
    <p>${now}</p>
    ${
      connection &&
      html`${connection.error_message && !alert.summary.includes(connection.error_message) && html`<blockquote dir="auto">${connection.error_message}</blockquote>`}
        <dl class="figures">
          <div><dt>To do</dt><dd>${TO_DO[connection.required_action]}</dd></div>
          ${connection.error_code && html`<div><dt>Code</dt><dd><code>${connection.error_code}</code></dd></div>`}
          ${alert.subject.external_account_id && html`<div><dt>Customer</dt><dd><bdi>${alert.subject.external_account_id}</bdi></dd></div>`}
        </dl>`
    }
  </section>`;
}

/** What happened, in its order. @param {{ alert: Alert }} props */
function Course({ alert }) {
  /** @type {[string | null, Tone, string][]} */
  const moments = [
    [alert.opened_at, "idle", "The condition was met"],
    [alert.fired_at, "bad", "It fired"],
    [alert.acknowledged_at, "warn", `Acknowledged by ${alert.acknowledged_by}`],
    [
      alert.last_notified_at,
      "info",
      alert.reminders
        ? `Last told, after ${number(alert.reminders)} ${alert.reminders === 1 ? "reminder" : "reminders"}`
        : "The channels were told",
    ],
    [alert.resolved_at, "ok", `It ended: ${whyEnded(alert.resolution)}`],
  ];
  const happened = moments
    .filter(([time]) => time)
    .sort(([one], [other]) => Date.parse(one ?? "") - Date.parse(other ?? ""));
  return html`<section class="card stack" aria-labelledby="course">
    <h2 id="course">What happened</h2>
    <ol class="moments">
      ${happened.map(
        ([time, tone, word]) =>
          html`<li key=${word} class=${tone}><div>${word}</div>
            <div class="muted"><${Time} at=${time} /> · ${day(time ?? "", TO_THE_SECOND)}</div></li>`,
      )}
    </ol>
  </section>`;
}

// ---------------------------------------------------------------- deliveries

/** @type {Record<Delivery["status"], [Tone, string]>} */
const STATUSES = {
  delivered: ["ok", "Delivered"],
  pending: ["idle", "On its way"],
  failed: ["bad", "Failed"],
  skipped: ["idle", "Skipped"],
};
/** @type {Record<Delivery["notice"], string>} */
const NOTICES = { firing: "It fires", reminder: "Reminder", resolved: "It ended" };
/** @type {Record<string, string>} */
const KINDS = { webhook: "Webhook", sns: "SNS", eventbridge: "EventBridge" };

/** @param {{ path: string, channels: Channel[] }} props */
function Deliveries({ path, channels }) {
  const list = /** @type {import("../../kit/api.js").Listed<Delivery>} */ (
    useList(`${path}/deliveries?limit=25`)
  );
  const empty = html`<${Empty} icon="bell" title="Nobody was told">The rule had no channel when it fired.</${Empty}>`;
  return html`<section class="card stack" aria-labelledby="deliveries">
    <div class="row spread"><h2 id="deliveries">Deliveries</h2>
      ${list.items.length > 0 && html`<${Button} kind="small" busy=${list.loading} onClick=${list.reload}>Look again</${Button}>`}</div>
    <${ListView} list=${list} empty=${empty}>
      <ul class="rows">
        ${list.items.map((one) => html`<${DeliveryRow} key=${one.id} delivery=${one} path=${path} channels=${channels} onDone=${list.reload} />`)}
      </ul>
    </${ListView}>
  </section>`;
}

/** @param {{ delivery: Delivery, path: string, channels: Channel[], onDone: () => void }} props */
function DeliveryRow({ delivery, path, channels, onDone }) {
  const { why } = useSession();
  const sending = useAction();
  const [tone, word] = STATUSES[delivery.status];
  const channel = channels.find((one) => one.id === delivery.channel_id);
  const where = channel?.kind === "webhook" ? channel.url : channel?.kind === "sns" ? channel.topic_arn : "";
  const resend = async () => {
    if (!(await sending.run(path + at`/deliveries/${delivery.id}/resend`))) return;
    notify("It is sent once more");
    onDone();
  };
  const waits = delivery.status === "pending" ? "It is on its way" : null;
  return html`<li>
    <${Badge} tone=${tone}>${word}</${Badge}>
    <span><strong>${NOTICES[delivery.notice]}</strong> · ${KINDS[delivery.channel] ?? delivery.channel}
</span>
    <${Button} kind="small" why=${why(MANAGE) ?? waits} busy=${sending.busy} onClick=${resend}>Resend</${Button}>
    <div class="full muted">${where && html`<code>${where}</code> · `}<${Time} at=${delivery.created_at} />
      ${delivery.next_attempt_at && html` · next attempt <${Time} at=${delivery.next_attempt_at} />`}</div>
    ${
      delivery.attempts.length > 0 &&
      html`<details class="full"><summary>${number(delivery.attempts.length)} ${delivery.attempts.length === 1 ? "attempt" : "attempts"}</summary>
        <ol class="attempts">
          ${delivery.attempts.map(
            (one) => html`<li key=${one.at}>
              <span class=${one.error ? "toned bad" : "toned ok"}>${one.error ?? "arrived"}</span>
              ${one.status_code !== null && html`<code>${one.status_code}</code>`}
              <span class="muted">${duration(one.duration_ms)} · ${exactly(one.at)}</span>
            </li>`,
          )}
        </ol></details>`
    }
    ${sending.error && html`<div class="full"><${Failure} error=${sending.error} title="It was not sent" /></div>`}
  </li>`;
}

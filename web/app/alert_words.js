/** Alerts and their rules, in words. */

import { at, useResource } from "../kit/api.js";
import { Badge } from "../kit/elements.js";
import { html } from "../vendor/preact.js";
import { lasting } from "./connection_words.js";
import { href } from "./dashboard.js";
import { TYPE_WORDS } from "./event_words.js";

/**
 * @typedef {import("#api").components["schemas"]["Alert"]} Alert
 * @typedef {import("#api").components["schemas"]["AlertCondition"]} Condition
 * @typedef {import("#api").components["schemas"]["Severity"]} Severity
 * @typedef {import("../kit/elements.js").Tone} Tone
 */

/** @type {Record<Severity, [Tone, string]>} */
const SEVERITIES = { critical: ["bad", "Critical"], warning: ["warn", "Warning"], info: ["info", "Info"] };

/** @type {[string, string][]} */
export const SEVERITY_CHOICES = [
  ["critical", "Critical"],
  ["warning", "Warning"],
  ["info", "Info"],
];

/** @param {{ severity: Severity }} props */
export const SeverityBadge = ({ severity }) =>
  html`<${Badge} tone=${SEVERITIES[severity][0]}>${SEVERITIES[severity][1]}</${Badge}>`;

/** @type {Record<NonNullable<Alert["resolution"]>, string>} */
const RESOLUTIONS = {
  recovered: "it recovered",
  rule_changed: "its rule was changed",
  rule_disabled: "its rule was switched off",
  rule_deleted: "its rule was deleted",
  subject_gone: "what it was about is gone",
  subject_paused: "what it was about was paused",
  subject_disabled: "what it was about was disabled",
};

/** Why an alert ended, in words. @param {Alert["resolution"]} resolution */
export const whyEnded = (resolution) => (resolution ? RESOLUTIONS[resolution] : "");

/**
 * Where an alert is, as tone and word.
 *
 * @param {Alert} alert
 * @returns {[Tone, string]}
 */
export function stateOf(alert) {
  if (alert.state === "resolved") return ["ok", "Resolved"];
  if (alert.state === "pending") return ["idle", "Pending"];
  return alert.acknowledged_at ? ["warn", "Acknowledged"] : ["bad", "Firing"];
}

/** How long an alert has lasted, or did. @param {Alert} alert */
export function lastingOf(alert) {
  const end = alert.resolved_at ? Date.parse(alert.resolved_at) : Date.now();
  return lasting((end - Date.parse(alert.fired_at ?? alert.opened_at)) / 1000);
}

/**
 * The names of a space's connections, for where only ids come: the first hundred, worst first.
 *
 * @param {string} slug
 * @param {readonly { subject: { kind: string } }[]} ones nothing is read if none is about a connection
 * @returns {Map<string, string>}
 */
export function useNames(slug, ones) {
  const needed = ones.some((one) => one.subject.kind === "connection");
  const read =
    /** @type {import("../kit/api.js").Resource<import("#api").components["schemas"]["ConnectionHealthList"]>} */ (
      useResource(needed ? `${at`/spaces/${slug}`}/integration-health/connections?limit=100` : null)
    );
  return new Map((read.data?.items ?? []).map((one) => [one.connection_id, one.name]));
}

/**
 * What an alert is about, with the way there.
 *
 * @param {{ subject: { kind: string, id: string, name?: string | null }, slug: string, names?: Map<string, string> }} props
 */
export function Subject({ subject, slug, names }) {
  const { kind, id } = subject;
  if (kind === "connection") {
    return html`<a href=${href(at`/connections/${id}`)}><bdi>${subject.name ?? names?.get(id) ?? id}</bdi></a>`;
  }
  if (kind === "integration_type") {
    const word = TYPE_WORDS[/** @type {keyof typeof TYPE_WORDS} */ (id)] ?? id;
    return html`<a href=${href(at`/spaces/${slug}/events`, { type: id })}>${word}</a>`;
  }
  return html`<a href=${href(at`/spaces/${slug}`)}>The space</a>`;
}

/**
 * A condition in a sentence.
 *
 * @param {Condition} condition
 */
export function conditionInWords(condition) {
  if (condition.kind === "connection_down") {
    return condition.connection_id ? "The connection fails" : "Any connection fails";
  }
  const type = condition.integration_type;
  const of = type
    ? ` of ${TYPE_WORDS[type].toLowerCase()}`
    : condition.connection_id
      ? " of one connection"
      : "";
  const each =
    condition.per === "connection"
      ? ", for each connection"
      : condition.per === "integration_type"
        ? ", for each type"
        : "";
  if (condition.kind === "stale") return `No success${of} for ${lasting(condition.after_seconds)}${each}`;
  const windows = `${lasting(condition.short_window_seconds ?? 3600)} and ${lasting(condition.long_window_seconds ?? 21_600)}`;
  return `Success rate${of} below ${condition.threshold} % over ${windows}${each}`;
}

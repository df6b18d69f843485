/** How a connection is doing, in words: its state, whose move it is, what there is to do. */

/**
 * @typedef {import("#api").components["schemas"]["HealthStatus"]} HealthStatus
 * @typedef {import("#api").components["schemas"]["Lifecycle"]} Lifecycle
 * @typedef {import("#api").components["schemas"]["RequiredAction"]} RequiredAction
 * @typedef {import("#api").components["schemas"]["Blame"]} Blame
 * @typedef {import("../kit/elements.js").Tone} Tone
 */

/** @type {Record<HealthStatus, [Tone, string]>} */
const HEALTH = {
  connected: ["ok", "Connected"],
  disconnected: ["bad", "Unreachable"],
  error: ["bad", "Failing"],
  unknown: ["idle", "Not tested"],
};

/** @type {Record<Exclude<Lifecycle, "active">, string>} */
const RESTING = { draft: "Draft", paused: "Paused", disabled: "Disabled" };

/**
 * The state of a connection as tone and word. What its owner has stopped is not said to fail.
 *
 * @param {Lifecycle} lifecycle
 * @param {HealthStatus} health
 * @returns {[Tone, string]}
 */
export const stateOf = (lifecycle, health) =>
  lifecycle === "active" ? HEALTH[health] : ["idle", RESTING[lifecycle]];

/** For filters: values of the API and their words. @type {[string, string][]} */
export const HEALTH_CHOICES = [
  ["", "Any"],
  ["error", "Failing"],
  ["disconnected", "Unreachable"],
  ["unknown", "Not tested"],
  ["connected", "Connected"],
];

/** @type {[string, string][]} */
export const LIFECYCLE_CHOICES = [
  ["", "Any"],
  ["active", "Active"],
  ["paused", "Paused"],
  ["disabled", "Disabled"],
  ["draft", "Draft"],
];

/**
 * What there is to do, in a few words, for a row of a list.
 *
 * @type {Record<RequiredAction, string>}
 */
export const TO_DO = {
  none: "Nothing",
  reauthorize: "Sign in again",
  grant_permission: "Grant a permission",
  fix_account: "Put the account in order",
  fix_config: "Correct a setting",
  wait: "Wait",
  contact_support: "Ask the provider",
};

/**
 * Who has to do what, in a sentence.
 *
 * @param {RequiredAction} action
 * @param {{ provider: string, managed: boolean }} of `managed`: the credentials are the operator's own
 */
export function nextMove(action, { provider, managed }) {
  const who = managed ? "You have" : "The customer has";
  switch (action) {
    case "reauthorize":
      return `${who} to sign in again, or to enter the credential again.`;
    case "grant_permission":
      return `${who} to grant what is missing at ${provider}.`;
    case "fix_account":
      return `${who} to put the account at ${provider} in order.`;
    case "fix_config":
      return `${who} to correct the setting that the test names.`;
    case "wait":
      return "There is nothing to change here. It may pass by itself.";
    case "contact_support":
      return `Ask ${provider}, or whoever wrote this integration. Waiting does not help.`;
    default:
      return "";
  }
}

/**
 * Whose move it is, by whom the newest test blames.
 *
 * @param {Blame} blame
 * @param {boolean} managed the credentials are the operator's own
 */
export function whoseMove(blame, managed) {
  if (blame === "customer") return managed ? "Your move" : "The customer's move";
  if (blame === "provider") return "The provider's move";
  return blame === "platform" ? "A fault here, not theirs" : "The test can't tell whose move it is";
}

/**
 * What fails, by its code, with the name of the provider; other codes have the title of their
 * diagnosis.
 *
 * @type {Partial<Record<string, (provider: string) => string>>}
 */
const REASONS = {
  auth_invalid: (provider) => `${provider} refuses the credential`,
  auth_expired: (provider) => `The credential for ${provider} has expired`,
  auth_revoked: (provider) => `The credential was revoked at ${provider}`,
  secret_not_found: (provider) => `A secret for ${provider} is missing`,
  permission_denied: (provider) => `${provider} does not let the credential do this`,
  scope_missing: (provider) => `The credential for ${provider} lacks a scope`,
  payment_required: (provider) => `The account at ${provider} has nothing left to spend`,
  account_locked: (provider) => `The account at ${provider} is locked`,
  address_not_allowed: (provider) => `${provider} does not accept calls from our address`,
  not_found: (provider) => `${provider} has nothing under this name`,
  dns_error: (provider) => `The host of ${provider} is not in the public DNS`,
  connection_refused: (provider) => `The host of ${provider} refuses connections`,
  connection_reset: (provider) => `The host of ${provider} cuts the connection`,
  connect_timeout: (provider) => `The host of ${provider} does not answer`,
  rate_limited: (provider) => `${provider} limits the rate of calls`,
  provider_error: (provider) => `${provider} has a fault`,
  provider_timeout: (provider) => `${provider} takes too long`,
  unexpected_response: (provider) => `${provider} answers something else than expected`,
};

/**
 * @param {string | null} code
 * @param {string} provider the name of the integration
 * @param {string} [title] of the diagnosis
 */
export function reasonOf(code, provider, title) {
  const reason = REASONS[code ?? ""]?.(provider) ?? title ?? `${provider} can't be used`;
  // "the provider", where its name is not known, may begin the sentence.
  return reason.replace(/^the /, "The ");
}

/** @type {[string, number][]} */
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/**
 * `3 hours`: how long something lasts.
 *
 * @param {number} seconds
 */
export function lasting(seconds) {
  const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  const format = new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.max(0, Math.floor(seconds / length)));
}

/** How long it is since a time. @param {string} time */
export const since = (time) => lasting((Date.now() - new Date(time).getTime()) / 1000);

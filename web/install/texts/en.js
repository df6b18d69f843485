/**
 * The texts of the wizard in English. Every catalog has the same keys, and names for the usual secrets
 * if they are not those in English.
 */

import { FORM_TEXTS } from "../../kit/schema_form.js";

/** @type {Record<string, string>} */
export const texts = {
  ...FORM_TEXTS,

  "title.install": "Connect {name}",
  "title.repair": "Repair {name}",
  "title.loading": "Loading",
  "about.publisher": "by {publisher}",
  "about.for": "For {organization}",
  "about.forPerson": "For {organization} · {person}",
  "about.abilities": "What it will be able to do",
  "about.reads": "Read from {name} with the account that you connect",
  "about.scopes": "What {name} will be asked to allow",
  "about.more": "{count} more",
  "about.monitor": "Test the connection every {interval}",
  "about.safe": "What you enter is stored encrypted, and not shown again.",
  "about.until": "This page works until {time}.",
  "capability.metadata_sync": "Read what data there is, and how it is organized",
  "capability.quality_check": "Check the quality of the data",
  "capability.profiling": "Compute statistics of the data",
  "capability.webhook": "Receive events",
  "capability.alert": "Send alerts",
  "tier.first_party": "From us",
  "tier.vendor_official": "From the provider",
  "tier.verified_partner": "Verified partner",
  "tier.verified_publisher": "Verified publisher",
  "tier.community": "From the community",

  steps: "Steps",
  "steps.details": "Enter",
  "steps.check": "Test",
  "steps.done": "Done",
  "steps.at": "Step {number} of 3: {name}",

  "section.values": "Settings of {name}",
  "section.secrets": "Credentials",
  "section.account": "Account",
  "section.more": "Name and options",
  name: "Name of the connection",
  nothing: "There is nothing to enter. Test the connection to go on.",

  "account.why": "You sign in at {name} and choose what to allow. Your password stays there.",
  "account.connect": "Sign in at {name}",
  "account.window": "Sign in in a new window",
  "account.again": "Connect another account",
  "account.connected": "Your account is connected.",
  "account.kept": "An account is connected. It stays unless you connect another.",
  "account.waiting": "Go on in the window that has opened.",
  "account.waitingMore": "It is not there? Allow windows of this page, then begin again.",
  "account.begin": "Begin again",
  "account.blocked": "Allow windows of this page in your browser, then try again.",
  "account.missing": "You did not allow all that was asked for. Some things may not work without:",
  "account.choices": "Which part of the account?",
  "account.choose": "Choose one.",
  "account.first": "Sign in first.",
  "account.other": "Sign in again: you have changed a value that the account depends on.",
  "account.leaving": "Taking you to the provider…",
  "account.notStarted": "You can't sign in now",
  "account.close": "Close this window",

  "submit.install": "Test and connect",
  "submit.repair": "Test and save",
  "submit.again": "Try again",
  "submit.anyway": "Connect anyway",
  "submit.anywayRepair": "Save anyway",
  "submit.cancel": "Cancel",
  "anyway.title": "Connect without a passed test?",
  "anyway.titleRepair": "Save without a passed test?",
  "anyway.text": "It is stored as you entered it, and works once what the test found is mended.",
  "anyway.back": "Go back",

  "test.running": "Testing",
  "test.runningNow": "The connection is being tested.",
  "test.passed": "The test passed. The connection is being stored…",
  "test.failed": "The test failed",
  "test.passedWord": "passed",
  "test.warningWord": "warning",
  "test.failedWord": "failed",
  "test.skippedWord": "skipped",
  "test.learnMore": "Learn more",

  "step.config": "Your settings are complete",
  "step.secrets": "Your credentials are complete",
  "step.egress": "The address may be called",
  "step.dns": "The host is found",
  "step.tcp": "The host answers",
  "step.tls": "The connection is encrypted",
  "step.grant": "The account allows what is needed",

  "errors.title": "Correct what is marked",
  "errors.reenter": "Enter it again: you have changed where it is sent.",
  "errors.trace": "Trace ID",
  "errors.titleRequest": "That did not work",

  "repair.title": "What the last test found",
  "repair.never": "Enter what has changed, then test it.",
  "repair.works": "The last test passed. Enter what you want to change.",
  "repair.others": "{count} other connections use the same data. They change, too.",
  "repair.other": "One other connection uses the same data. It changes, too.",

  "done.install": "{name} is connected",
  "done.repair": "{name} is repaired",
  "done.repairFailed": "Your changes are saved, but the test fails",
  "done.failed": "{name} is stored, but the test fails",
  "done.account": "Account",
  "done.connection": "Connection",
  "done.monitor": "Tested",
  "done.every": "every {interval}",
  "done.back": "Back to {host}",
  "done.close": "Done",
  "done.closeWindow": "You can close this window.",

  "ended.title.incomplete": "This link is not complete",
  "ended.incomplete": "Open the whole link as you got it, or ask for a new one.",
  "ended.title.unknown": "This link does not work",
  "ended.unknown": "Check that you opened the whole link, or go back to the app that sent you.",
  "ended.title.expired": "This link has expired",
  "ended.expired": "Go back to the app that sent you, and start again. You get a new link.",
  "ended.title.revoked": "This link was withdrawn",
  "ended.revoked": "Go back to the app that sent you, and start again.",
  "ended.title.completed": "This link was used already",
  "ended.completed": "To connect something else, go back to the app that sent you.",
  "ended.title.impossible": "This can't be connected any more",
  "ended.impossible": "Go back to the app that sent you, and start again.",
  "ended.title.failed": "This page can't be shown now",
  again: "Try again",

  "interval.m": "{count} min",
  "interval.h": "{count} h",
};

/**
 * Own words for failures, by the code of a step or an error of the API, or by the outcome of connecting
 * an account: what it means, and what to do. The API's words are English already.
 */
export const codes = /** @type {Record<string, [string, string]>} */ ({});

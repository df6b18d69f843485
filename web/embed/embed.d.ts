/** The types of `/embed.js`, which makes `window.Patchbay`. */

export interface Options {
  /** The `url` of an install session that names the origin of this page in `allowed_origins`. */
  url: string;
  /** Where the wizard is shown. Without it, it is a window over the page. */
  container?: HTMLElement;
  /** By default as the reader's system has it. */
  theme?: "light" | "dark";
  /** Such as `"de"`; by default the first of the reader's languages that there are texts for. */
  language?: string;
  /** What a screen reader calls the frame: `"Connect"` by default. */
  title?: string;
  /** What it calls the button that closes the window: `"Close"` by default. */
  closeLabel?: string;
  onEvent?: (event: WizardEvent) => void;
}

export type WizardEvent =
  /** The form is shown. */
  | { type: "ready" }
  /** The page has become this high, in CSS pixels. The frame follows by itself. */
  | { type: "resize"; height: number }
  /** The connection was made, or repaired. The frame shows so, until the person closes it. */
  | { type: "completed"; connection_id: string; source_id: string }
  /**
   * A test failed, or the link can't be used: `code` is that of the step or of the API's error,
   * `NOT_SHOWN` if nothing came of the frame. After a failed test the person can try again.
   */
  | { type: "failed"; code: string }
  /** It is gone: closed by the person, or by `close`. */
  | { type: "closed" };

export interface OpenWizard {
  /** Takes the wizard away. What was typed is lost. */
  close(): void;
}

export interface PatchbayEmbed {
  open(options: Options): OpenWizard;
}

declare global {
  interface Window {
    Patchbay: PatchbayEmbed;
  }
}

/**
 * Shows the install wizard in a page of yours, in a frame. See docs/wizard.md.
 *
 *     <script src="https://patchbay.example.com/embed.js"></script>
 *     Patchbay.open({ url: session.url, onEvent: (event) => {} })
 */
(() => {
  const QUIET_MS = 15000;

  /** @param {import("./embed").Options} options */
  function open({ url, container, theme, language, title = "Connect", closeLabel = "Close", onEvent }) {
    const address = new URL(url);
    // The address of a script would run in the page that shows the frame.
    if (!/^https?:$/.test(address.protocol)) throw new TypeError("url is not an address of the web");
    if (theme) address.searchParams.set("theme", theme);
    if (language) address.searchParams.set("language", language);

    const frame = document.createElement("iframe");
    frame.title = title;
    frame.setAttribute(
      "sandbox",
      "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox",
    );
    frame.referrerPolicy = "no-referrer";
    Object.assign(frame.style, { border: "0", width: "100%", height: "480px", display: "block" });

    /** @type {HTMLDialogElement | null} */
    let dialog = null;
    let isReady = false;
    let isOpen = true;

    /** @param {import("./embed").WizardEvent} event */
    const say = (event) => onEvent?.(event);
    const close = () => {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(timer);
      removeEventListener("message", hear);
      frame.remove();
      dialog?.remove();
      if (before instanceof HTMLElement) before.focus();
      say({ type: "closed" });
    };
    /** @param {MessageEvent} message */
    const hear = ({ origin, source, data }) => {
      if (origin !== address.origin || source !== frame.contentWindow) return;
      if (data?.type !== "patchbay.install") return;
      const { type: _, event, ...more } = data;
      if (event === "ready") isReady = true;
      if (event === "resize") frame.style.height = `${Math.max(Number(more.height) || 0, 240)}px`;
      if (event === "closed") close();
      else say({ type: event, ...more });
    };
    const before = document.activeElement;
    // A frame that the browser refuses to show is as silent as one that can't be reached.
    const timer = setTimeout(() => isReady || say({ type: "failed", code: "NOT_SHOWN" }), QUIET_MS);
    addEventListener("message", hear);

    if (container) container.append(frame);
    else {
      address.searchParams.set("modal", "");
      dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", title);
      Object.assign(dialog.style, {
        width: "min(960px, calc(100vw - 16px))",
        maxWidth: "none",
        maxHeight: "none",
        padding: "0",
        border: "0",
        borderRadius: "10px",
        overflow: "hidden",
        background: "none",
      });
      frame.style.maxHeight = "96vh";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "×";
      button.setAttribute("aria-label", closeLabel);
      button.onclick = close;
      Object.assign(button.style, {
        position: "absolute",
        insetBlockStart: "6px",
        insetInlineEnd: "6px",
        width: "40px",
        height: "40px",
        border: "0",
        background: "none",
        // It can be seen on a light page and on a dark one.
        color: "#6f7a8a",
        font: "26px/1 sans-serif",
        cursor: "pointer",
      });
      dialog.append(frame, button);
      // Escape, and whatever else the browser closes dialogs by.
      dialog.onclose = close;
      document.body.append(dialog);
      dialog.showModal();
      frame.focus();
    }
    frame.src = address.href;
    return { close };
  }

  /** @type {any} */ (window).Patchbay = { .../** @type {any} */ (window).Patchbay, open };
})();

// The page is whole without this. Here it looks for later rounds and puts them in
// the place of the one shown, and commands get a button that copies them.
"use strict";

(() => {
  const parts = ["top", "way", "causes", "access", "history", "checks"];
  const live = document.getElementById("live");
  const period = 1000 * Number(document.documentElement.dataset.period);
  // shown is each part as the agent sent it, without what is added here.
  let shown = sectionsOf(document);
  let tag = "";
  let lostSince = null;
  let waiting;
  let looking = false;

  function sectionsOf(page) {
    return new Map(parts.map((id) => [id, page.getElementById(id)?.outerHTML ?? ""]));
  }

  // A key finds what has the focus again in a part that was replaced.
  function keyOf(element) {
    const anchor = element.closest("[id]");
    return anchor && { id: anchor.id, index: [...anchor.querySelectorAll("a, button, summary")].indexOf(element) };
  }

  function focusOn(key) {
    const anchor = key && document.getElementById(key.id);
    anchor?.querySelectorAll("a, button, summary")[key.index]?.focus({ preventScroll: true });
  }

  // What somebody opened or closed stays so, unless the agent itself now shows it
  // the other way.
  function keepOpen(before, after) {
    for (const details of after.querySelectorAll("details[id]")) {
      const old = before?.querySelector("#" + CSS.escape(details.id));
      if (old && old.dataset.open === String(details.open)) {
        details.dataset.open = old.dataset.open;
        details.open = old.open;
      }
    }
  }

  function replace(id, next) {
    const before = document.getElementById(id);
    const after = next.getElementById(id) && document.importNode(next.getElementById(id), true);
    if (after) {
      prepare(after);
      keepOpen(before, after);
    }
    if (before && after) {
      before.replaceWith(after);
    } else if (before) {
      before.remove();
    } else if (after) {
      const later = parts.slice(parts.indexOf(id) + 1).map((other) => document.querySelector("main > #" + other));
      document.querySelector("main").insertBefore(after, later.find((other) => other) ?? null);
    }
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    const sections = sectionsOf(next);
    const active = document.activeElement;
    const focus = active && active !== document.body ? keyOf(active) : null;
    for (const id of parts) {
      if (sections.get(id) !== shown.get(id)) {
        replace(id, next);
      }
    }
    if (focus && !document.contains(active)) {
      focusOn(focus);
    }
    shown = sections;
    document.title = next.title;
  }

  async function look() {
    if (looking) {
      return;
    }
    looking = true;
    clearTimeout(waiting);
    try {
      const response = await fetch("?format=html", {
        cache: "no-store",
        headers: tag ? { "If-None-Match": tag } : {},
        signal: AbortSignal.timeout(10000),
      });
      if (response.status === 200) {
        show(await response.text());
        tag = response.headers.get("ETag") ?? "";
      } else if (response.status !== 304) {
        throw new Error(response.status);
      }
      lostSince = null;
      say("Live: the page follows the rounds of the agent.");
    } catch {
      lostSince ??= new Date();
      say("The connection to the agent is lost since " + lostSince.toISOString().slice(0, 19) + "Z. What is shown is from before; the page goes on trying.");
    }
    looking = false;
    waiting = setTimeout(() => document.hidden || look(), period);
  }

  // Said again, the same would be read out again.
  function say(sentence) {
    document.body.classList.toggle("lost", lostSince !== null);
    if (live.textContent !== sentence) {
      live.textContent = sentence;
    }
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS there is a clipboard on loopback addresses alone.
      const area = document.body.appendChild(document.createElement("textarea"));
      area.className = "unseen";
      area.value = text;
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      if (!copied) {
        throw new Error("not copied");
      }
    }
  }

  function label(button, word, command) {
    button.textContent = word;
    button.setAttribute("aria-label", word + ": " + command);
  }

  async function onCopy(button, command) {
    try {
      await copy(command);
      label(button, "Copied", command);
    } catch {
      label(button, "Select it by hand", command);
    }
    button.focus({ preventScroll: true });
    setTimeout(() => label(button, "Copy", command), 2000);
  }

  function prepare(part) {
    for (const details of part.querySelectorAll("details")) {
      details.dataset.open = String(details.open);
    }
    for (const block of part.querySelectorAll("pre")) {
      const command = block.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      label(button, "Copy", command);
      button.addEventListener("click", () => onCopy(button, command));
      block.append(button);
    }
  }

  prepare(document);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
})();

// The page is whole without this. Here it looks for later rounds and takes over
// what is new in them, and commands get a button that copies them.
"use strict";

(() => {
  const parts = ["top", "way", "causes", "access", "history", "checks"];
  const live = document.getElementById("live");
  const period = 1000 * Number(document.documentElement.dataset.period);
  let tag = "";
  let lostSince = null;
  let waiting;
  let looking = false;

  // What stays the same is left alone, and with it what somebody has selected,
  // opened or reached by the keyboard.
  function become(before, after) {
    if (before.nodeName !== after.nodeName || before.id !== after.id) {
      before.replaceWith(after);
    } else if (before.nodeType === Node.TEXT_NODE) {
      if (before.data !== after.data) {
        before.data = after.data;
      }
    } else if (before.dataset?.said === undefined) {
      takeAttributes(before, after);
      const old = [...before.childNodes];
      const next = [...after.childNodes];
      next.forEach((child, i) => (i < old.length ? become(old[i], child) : before.append(child)));
      old.slice(next.length).forEach((child) => child.remove());
    }
  }

  function takeAttributes(before, after) {
    // What somebody opened or closed stays so, unless the agent itself now shows
    // it the other way.
    if (after.nodeName === "DETAILS" && before.dataset.open === after.dataset.open) {
      after.open = before.open;
    }
    for (const { name } of [...before.attributes]) {
      if (!after.hasAttribute(name)) {
        before.removeAttribute(name);
      }
    }
    for (const { name, value } of after.attributes) {
      if (before.getAttribute(name) !== value) {
        before.setAttribute(name, value);
      }
    }
  }

  function show(text) {
    const next = new DOMParser().parseFromString(text, "text/html");
    prepare(next);
    document.title = next.title;
    for (const id of parts) {
      const before = document.getElementById(id);
      const after = next.getElementById(id);
      if (before && after) {
        become(before, document.importNode(after, true));
      } else if (before) {
        before.remove();
      } else if (after) {
        const later = parts.slice(parts.indexOf(id) + 1).map((other) => document.querySelector("main > #" + other));
        document.querySelector("main").insertBefore(document.importNode(after, true), later.find((other) => other) ?? null);
      }
    }
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

  function label(button, word) {
    button.textContent = word;
    button.setAttribute("aria-label", word + ": " + commandOf(button));
  }

  function commandOf(button) {
    return button.parentElement.querySelector("code").textContent;
  }

  async function onCopy(button) {
    let outcome = "Copied";
    try {
      await copy(commandOf(button));
    } catch {
      outcome = "Select it by hand";
    }
    button.dataset.said = "";
    label(button, outcome);
    button.focus({ preventScroll: true });
    setTimeout(() => {
      delete button.dataset.said;
      label(button, "Copy");
    }, 2000);
  }

  function prepare(page) {
    for (const details of page.querySelectorAll("details")) {
      details.dataset.open = String(details.open);
    }
    for (const block of page.querySelectorAll("pre")) {
      const button = page.createElement("button");
      button.type = "button";
      button.className = "copy";
      block.append(button);
      label(button, "Copy");
    }
  }

  prepare(document);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) {
      onCopy(button);
    }
  });
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
})();

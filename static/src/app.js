// Small behaviours, each bound to an attribute (templates/components/README.md lists them). Pages work without them
// wherever the browser can do the deed by itself. Nothing of a page is stored in the browser but the theme.

const on = (type, selector, act) =>
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element ? event.target.closest(selector) : null;
    if (element) act(element, event);
  });

// ---- dialogs -------------------------------------------------------------------------------------------------------
on("click", "[data-open]", (button) => {
  const dialog = document.getElementById(button.dataset.open);
  if (!(dialog instanceof HTMLDialogElement)) return;
  button.closest("details.menu")?.removeAttribute("open");
  dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
});
on("click", "[data-close]", (button) => button.closest("dialog")?.close());
on("click", "dialog", (dialog, event) => {
  if (event.target !== dialog) return;
  const box = dialog.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside && !dialog.hasAttribute("data-stay")) dialog.close();
});

// ---- menus ---------------------------------------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const had = menu.contains(document.activeElement);
    menu.removeAttribute("open");
    if (had) menu.querySelector("summary")?.focus();
  }
});
document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.removeAttribute("open");
});
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.matches?.("details.menu[open]")) event.target.querySelector("[data-first]")?.focus();
  },
  true,
);

// ---- tabs: on a narrow screen the current one is in view -------------------------------------------------------------
for (const tab of document.querySelectorAll(":is(.tabs, .sections) [aria-current]")) {
  const row = tab.closest("nav");
  if (row.scrollWidth > row.clientWidth) row.scrollLeft = tab.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
}

// ---- keys: Alt, Shift and a letter press a button; a letter alone would be pressed by accident ---------------------------
document.addEventListener("keydown", (event) => {
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey || event.repeat) return;
  const button = document.querySelector(`[data-hotkey="${CSS.escape(event.code.replace(/^Key/, ""))}"]`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});

// ---- the command palette: Ctrl+K opens it, arrows go through what it found, Enter opens the first -----------------------
document.addEventListener("keydown", (event) => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("input[type=search]").select();
    return;
  }
  if (!dialog.open || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  const input = dialog.querySelector("input[type=search]");
  const stops = [input, ...dialog.querySelectorAll("#palette-results :is(a, button)")];
  const now = stops.indexOf(document.activeElement);
  if (event.key === "Enter") {
    if (now > 0) return;
    if (stops.length > 1) stops[1].click();
    if (stops.length > 1 || !dialog.querySelector("form[action]")) event.preventDefault();
    return;
  }
  event.preventDefault();
  stops[(now + (event.key === "ArrowDown" ? 1 : -1) + stops.length) % stops.length].focus();
});

// ---- keys in a list, while it has the focus: j and k move, x selects, a and s go to owner and date, ? lists them --------
document.addEventListener("keydown", (event) => {
  const frame = event.target.closest?.(".table-frame");
  if (!frame || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, textarea, input:not([type=checkbox])")) return;
  const row = event.target.closest("tbody tr");
  const rows = [...frame.querySelectorAll("tbody tr")];
  const step = { j: 1, k: -1 }[event.key];
  const field = { a: "owner", s: "days" }[event.key];
  if (step) {
    const next = rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + step))];
    (next?.querySelector("a, button") ?? next?.querySelector("input"))?.focus();
  } else if (event.key === "x") row?.querySelector(".pick input")?.click();
  else if (field) document.querySelector(`select[form=ticked][name=${field}]`)?.focus();
  else if (event.key === "?") document.querySelector("[data-keys]")?.toggleAttribute("hidden");
  else return;
  event.preventDefault();
});

// ---- theme ---------------------------------------------------------------------------------------------------------
const themeNow = () => document.documentElement.dataset.theme ?? "system";
const markTheme = () => {
  for (const radio of document.querySelectorAll("[data-theme-choice]")) radio.checked = radio.value === themeNow();
};
on("change", "[data-theme-choice]", (radio) => {
  if (radio.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = radio.value;
  try {
    if (radio.value === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", radio.value);
  } catch {
    // storage refused: the choice lasts for this page
  }
  markTheme();
  document.dispatchEvent(new CustomEvent("look:theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("look:theme")));

// ---- copying, dismissing, submitting -------------------------------------------------------------------------------
const say = (text) => {
  const region = document.getElementById("announce");
  if (!region) return;
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50);
};
on("click", "[data-copy]", async (button) => {
  const source = document.querySelector(button.dataset.copy);
  if (!source) return;
  const label = button.querySelector("[data-copy-label]") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    label.textContent = "Copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    label.textContent = "Selected: press Ctrl+C";
  }
  say(label.textContent);
  setTimeout(() => (label.textContent = before), 2500);
});
// ---- hearing words that are spoken to callers: where the browser has a voice for their language --------------------
on("click", "[data-speak]", (button) => {
  const source = document.querySelector(button.dataset.speak);
  const label = button.querySelector("[data-speak-label]") ?? button;
  if (!source) return;
  const before = button.dataset.speakBefore ?? label.textContent;
  button.dataset.speakBefore = before;
  if (speechSynthesis.speaking) return speechSynthesis.cancel();
  const words = new SpeechSynthesisUtterance(source.textContent.trim());
  words.lang = source.closest("[lang]")?.lang ?? "";
  words.onend = words.onerror = () => (label.textContent = before);
  label.textContent = "Stop";
  speechSynthesis.speak(words);
});
const showSpeakers = () => {
  const voices = window.speechSynthesis?.getVoices() ?? [];
  for (const button of document.querySelectorAll("[data-speak]")) {
    const lang = document.querySelector(button.dataset.speak)?.closest("[lang]")?.lang ?? "";
    button.hidden = !voices.some((voice) => voice.lang.startsWith(lang));
  }
};
if (document.querySelector("[data-speak]") && window.speechSynthesis) {
  showSpeakers();
  speechSynthesis.addEventListener?.("voiceschanged", showSpeakers);
}

on("click", "[data-dismiss]", (button) => button.closest("[data-dismissable], .alert, [role=status]")?.remove());
on("change", "form[data-autosubmit] :is(select, input[type=checkbox], input[type=radio])", (control) => control.form.requestSubmit());
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches?.("form[data-once]") || event.defaultPrevented) return;
  setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("form[data-once] button:disabled:not([data-needs-phrase])")) button.disabled = false;
});

// ---- lists, bulk, typed confirmation -------------------------------------------------------------------------------
on("input", "[data-filter-list]", (input) => {
  const words = input.value.trim().toLowerCase();
  const list = document.querySelector(input.dataset.filterList);
  let shown = 0;
  for (const item of list?.children ?? []) {
    if (item.hasAttribute("data-always")) continue;
    item.hidden = !item.textContent.toLowerCase().includes(words);
    if (!item.hidden) shown += 1;
  }
  const none = list?.querySelector("[data-none]");
  if (none) none.hidden = shown > 0;
});
const markBulk = (name) => {
  const boxes = [...document.getElementsByName(name)].filter((box) => box.type === "checkbox");
  const ticked = boxes.filter((box) => box.checked).length;
  for (const bar of document.querySelectorAll("[data-bulk]")) {
    if (bar.dataset.bulk !== name) continue;
    bar.hidden = ticked === 0;
    for (const count of bar.querySelectorAll("[data-bulk-count]")) count.textContent = String(ticked);
  }
  for (const all of document.querySelectorAll("[data-check-all]")) {
    if (all.dataset.checkAll !== name) continue;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
};
on("change", "input[type=checkbox]", (box) => {
  if (box.dataset.checkAll) {
    for (const other of document.getElementsByName(box.dataset.checkAll)) if (!other.disabled) other.checked = box.checked;
    markBulk(box.dataset.checkAll);
  } else if (box.name) markBulk(box.name);
});
on("input", "input[data-phrase]", (input) => {
  const same = input.value.trim() === input.dataset.phrase;
  for (const button of input.form?.querySelectorAll("[data-needs-phrase]") ?? []) button.disabled = !same;
});

// ---- sliders say what they stand at --------------------------------------------------------------------------------
const showValue = (slider) => {
  let said = slider.nextElementSibling;
  if (!said?.matches("output")) {
    said = document.createElement("output");
    said.className = "slider-value";
    said.htmlFor = slider.id;
    slider.after(said);
  }
  said.textContent = `${slider.dataset.shows} = ${slider.value}`;
};
on("input", "input[data-shows]", showValue);

// ---- a value that may be seen for a while --------------------------------------------------------------------------
const countDown = (element) => {
  if (element.dataset.counting) return;
  element.dataset.counting = "yes";
  const total = Number(element.dataset.countdown);
  const end = performance.now() + total * 1000;
  const left = element.querySelector("[data-countdown-left]");
  const bar = element.querySelector("progress");
  const gone = () => {
    clearInterval(timer);
    const note = document.createElement("p");
    note.className = "text-muted";
    note.setAttribute("role", "status");
    note.textContent = element.dataset.countdownGone ?? "Hidden again.";
    element.replaceWith(note);
  };
  const tick = () => {
    if (!element.isConnected) return clearInterval(timer);
    const seconds = Math.max(0, (end - performance.now()) / 1000);
    if (left) left.textContent = String(Math.ceil(seconds));
    if (bar) bar.value = seconds;
    if (seconds <= 0) gone();
  };
  const timer = setInterval(tick, 250);
  addEventListener("pagehide", gone, { once: true }); // nothing stays for the back button
  tick();
};

// ---- charts drawn by the server: a value is said when it is pointed at, touched, or reached by the arrow keys -------------
const sayOf = (plot, shape) => {
  const said = plot.querySelector("[data-plot-said]");
  for (const other of plot.querySelectorAll(".is-said")) other.classList.remove("is-said");
  if (!said) return;
  plot.dataset.help ??= said.textContent;
  shape?.classList.add("is-said");
  said.classList.toggle("is-value", Boolean(shape));
  said.textContent = shape ? shape.dataset.say : plot.dataset.help;
};
for (const type of ["pointerover", "click"]) on(type, "[data-plot] [data-say]", (shape) => sayOf(shape.closest("[data-plot]"), shape));
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  const plot = event.target.matches?.("[data-plot]") ? event.target : null;
  if (!plot || (!step && event.key !== "Escape")) return;
  event.preventDefault();
  if (!step) return sayOf(plot, null);
  const shapes = [...plot.querySelectorAll("[data-say]:not([data-again])")].filter((shape) => shape.getClientRects().length);
  const now = shapes.findIndex((shape) => shape.classList.contains("is-said"));
  if (shapes.length) sayOf(plot, shapes[Math.min(shapes.length - 1, Math.max(0, now + step))]);
});

// ---- new passwords: how good one would be, and one by chance ----------------------------------------------------------
const newPasswords = (element) => [...(element.closest("form")?.querySelectorAll("input[autocomplete=new-password]") ?? [])];
const KINDS = ["abcdefghjkmnpqrstuvwxyz", "ABCDEFGHJKMNPQRSTUVWXYZ", "23456789", "-_.!+=*"]; // none that look alike
const byChance = (size) => {
  const letters = KINDS.join("");
  const below = (limit) => {
    const box = new Uint32Array(1);
    do crypto.getRandomValues(box);
    while (box[0] >= Math.floor(2 ** 32 / limit) * limit); // each as likely as the next
    return box[0] % limit;
  };
  for (;;) {
    const found = Array.from({ length: size }, () => letters[below(letters.length)]).join("");
    if (KINDS.every((kind) => [...kind].some((letter) => found.includes(letter)))) return found;
  }
};
const showTyped = (element, shown) => {
  for (const input of newPasswords(element)) input.type = shown ? "text" : "password";
  for (const button of element.closest("form").querySelectorAll("[data-show-passwords]")) {
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? "Hide what is typed" : "Show what is typed";
  }
};
for (const meter of document.querySelectorAll("[data-meter]")) {
  const [input] = newPasswords(meter);
  if (!input) continue;
  meter.hidden = false;
  const here = meter.querySelector("[data-meter-here]");
  let wait, asked;
  input.addEventListener("input", () => {
    clearTimeout(wait);
    asked?.abort();
    wait = setTimeout(async () => {
      const given = new FormData(input.form);
      const asks = new FormData();
      asks.set("password", input.value);
      asks.set("rule", input.dataset.rule ?? "");
      for (const name of ["csrfmiddlewaretoken", "name", "email"]) if (given.has(name)) asks.set(name, given.get(name));
      asked = new AbortController();
      try {
        const answer = await fetch(meter.dataset.meter, { method: "POST", body: asks, credentials: "same-origin", signal: asked.signal });
        if (answer.ok && !answer.redirected) here.innerHTML = await answer.text();
      } catch {
        // offline, or typed on: the form is checked again when it is sent
      }
    }, 250);
  });
}
on("click", "[data-suggest]", (button) => {
  const found = byChance(20);
  for (const input of newPasswords(button)) {
    input.value = found;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
  showTyped(button, true);
  say("A password was put into both fields.");
});
on("click", "[data-show-passwords]", (button) => showTyped(button, button.getAttribute("aria-pressed") !== "true"));
document.addEventListener("submit", (event) => {
  for (const input of event.target.querySelectorAll?.("input[type=text][autocomplete=new-password]") ?? []) input.type = "password";
});

// ---- a form that was refused: its first field to mend has the focus, and the title says it -------------------------------
const leadToMend = () => {
  const marked = [...document.querySelectorAll("main [aria-invalid=true]")].find((field) => !field.closest("dialog:not([open])"));
  const said = document.querySelector("main [data-refused]");
  if (!marked && !said) return;
  document.title = `Error: ${document.title}`;
  if (marked) {
    for (let folded = marked.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    marked.focus();
  } else if (!document.querySelector("main [autofocus]")) {
    said.tabIndex = -1;
    said.focus();
  }
};

// ---- start ---------------------------------------------------------------------------------------------------------
const wire = (root) => {
  for (const element of root.querySelectorAll?.("[data-countdown]") ?? []) countDown(element);
  if (root.matches?.("[data-countdown]")) countDown(root);
  for (const slider of root.querySelectorAll?.("input[data-shows]") ?? []) showValue(slider);
};
wire(document);
markTheme();
leadToMend();
for (const box of document.querySelectorAll("[data-bulk]")) markBulk(box.dataset.bulk);
// the browser may have restored what was typed
for (const input of document.querySelectorAll("input[data-phrase]")) input.dispatchEvent(new Event("input", { bubbles: true }));
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) if (node instanceof Element) wire(node);
}).observe(document.body, { childList: true, subtree: true });
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 403) say("This is not allowed, or your session has ended. Reload the page.");
});

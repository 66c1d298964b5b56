// The form and notice of CallPrivacy for a client's own site, and the careful loading of a tracker's number-swap.
// It sets no cookie and evaluates nothing; styles go through the CSSOM, which a policy without 'unsafe-inline' allows.
// What a visitor chose is remembered in this browser, once the visitor has chosen, and nothing before.
// Built by `npm run build` into static/consent/embed.v1.js, which never changes once it is released.
(() => {
  const tag = document.currentScript;
  const { key, into, lang = document.documentElement.lang, show = "form", origin = new URL(tag.src).origin } = tag.dataset;
  const door = `${origin}/c/${key}/`;
  const slot = `callprivacy:${key}`;
  const preview = "preview" in tag.dataset;
  const gpc = navigator.globalPrivacyControl === true;
  let choice = null;
  try { choice = localStorage.getItem(slot); } catch { /* storage is shut: a choice lasts as long as the page */ }

  const el = (name, with_ = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), with_);
    made.append(...inside);
    return made;
  };

  // Other consent tools on the page: IAB's US Privacy string and Global Privacy Platform.
  const optedOut = () => new Promise((tell) => {
    let said = "optedOut" in tag.dataset;
    try { window.__uspapi?.("getUSPData", 1, (data) => { said ||= data?.uspString?.[2] === "Y"; }); } catch { /* not theirs */ }
    try {
      window.__gpp?.("ping", (data) => {
        said ||= Object.values(data?.parsedSections ?? {}).flat().some((part) =>
          [part?.SaleOptOut, part?.SharingOptOut, part?.TargetedAdvertisingOptOut].includes(1));
      });
    } catch { /* not theirs */ }
    setTimeout(() => tell(said));
  });

  let swapped = false;
  const swap = async ({ swap: script }) => {
    if (!script || swapped || preview || gpc || choice === "no" || await optedOut()) return;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
    // Overseas parts of France are Union too; a zone that names no place could be anywhere.
    const near = /^(America|US|Canada|Pacific|Australia)\//.test(zone)
      && !/(Cayenne|Guadeloupe|Marigot|Martinique|Miquelon|St_Barthelemy)$/.test(zone);
    if (choice !== "yes" && (script.ask || !near)) return;
    swapped = true;
    const tracker = el("script", { src: script.url, async: true });
    if (script.hash) Object.assign(tracker, { integrity: script.hash, crossOrigin: "anonymous" });
    document.head.append(tracker);
  };

  const choose = (said, config) => {
    choice = said;
    try { localStorage.setItem(slot, said); } catch { /* as above */ }
    if (config) swap(config);
  };

  const css = `:host{display:block;font:inherit;color:inherit;line-height:1.5}*{box-sizing:border-box}
form,fieldset,div{display:grid;gap:.75em;min-width:0;margin:0;padding:0;border:0}p{margin:0;white-space:pre-line}
label{display:flex;gap:.6em;align-items:start}label.n{display:grid;gap:.25em;max-width:22em;font-weight:600}small{font-size:.875em}
input,button{font:inherit}input[type=checkbox]{width:1.25em;height:1.25em;margin:.15em 0 0;flex:none;accent-color:var(--f)}
input[type=tel]{padding:.6em .75em;border:1px solid #767676;border-radius:.5em;width:100%;background:Field;color:FieldText}
.r{display:flex;flex-wrap:wrap;gap:.75em;align-items:center}button{min-height:2.75em;padding:.5em 1.1em;border:1px solid currentcolor;border-radius:.5em;background:none;color:inherit;font-weight:600;cursor:pointer}
button.m{border-color:var(--f);background:var(--f);color:var(--i)}a{color:inherit}:focus-visible{outline:3px solid currentcolor;outline-offset:2px}[aria-invalid]{outline:2px solid #c62828}`;

  const draw = (config) => {
    const place = into ? document.querySelector(into) : tag.parentNode.insertBefore(el("div"), tag);
    if (!place || show === "none") return;
    const { says } = config;
    const asks = show !== "notice";
    const root = place.shadowRoot ?? place.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    const form = el("form", { noValidate: true, lang: config.lang, ariaLabel: config.name });
    form.style.setProperty("--f", config.fill);
    form.style.setProperty("--i", config.ink);
    if (config.gpc) form.append(el("p", {}, el("strong", {}, config.gpc)));
    for (const notice of config.notices) {
      const small = el("small", {}, notice.withdraw ? `${says.withdraw_how} ${notice.withdraw} ` : "");
      if (notice.policy) small.append(el("a", { href: notice.policy, rel: "noopener" }, says.policy));
      const group = el("fieldset", { lang: notice.lang, ariaLabel: config.name }, el("p", {}, notice.words), el("p", {}, small));
      for (const [value, ask] of asks ? notice.boxes : []) {
        group.append(el("label", {}, el("input", { type: "checkbox", name: "purposes", value }), el("span", {}, ask)));
      }
      form.append(group);
    }
    const more = el("a", { href: config.more, target: "_blank", rel: "noopener" }, says.more_link);
    const said = el("p", { role: "status", tabIndex: -1, id: "said" });
    const number = el("input", { type: "tel", name: "number", autocomplete: "tel", required: true, maxLength: 40 });
    number.setAttribute("aria-describedby", "said");
    const give = el("button", { className: "m", value: "give" }, says.give_button);
    const stop = el("button", { value: "withdraw" }, says.stop_all);
    const tell = (words, field) => {
      said.replaceChildren(words);
      number.toggleAttribute("aria-invalid", field === "number");
      (field === "number" ? number : said).focus();
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const deed = event.submitter?.value ?? "give";
      const purposes = [...form.querySelectorAll(":checked")].map((box) => box.value);
      if (deed === "give" && !purposes.length) return tell(says.none_ticked);
      if (!number.value.trim()) return tell(says.bad_number, "number");
      if (preview) return tell(says.preview);
      give.disabled = stop.disabled = true;
      try {
        const answer = await ask("events", {
          deed, purposes, everything: deed === "withdraw", number: number.value, form: config.form, lang: config.lang, gpc,
          page: location.host + location.pathname,
        });
        if (!answer.receipt) return tell(answer.detail, answer.field);
        if (deed === "withdraw") choose("no");
        else if (purposes.includes("measure")) choose("yes", config);
        form.reset();
        tell(`${answer.said} ${answer.gpc} `);
        said.append(el("a", { href: answer.receipt, target: "_blank", rel: "noopener" }, says.receipt_link));
      } catch {
        tell(says.unknown_limit);
      } finally {
        give.disabled = stop.disabled = false;
      }
    });
    if (asks) {
      const row = el("div", { className: "r" }, ...(config.notices.length ? [give] : []), stop);
      form.append(el("label", { className: "n" }, says.number, number), row, said);
    }
    form.append(el("p", {}, more));
    root.replaceChildren(form);
  };

  const ask = async (path, body) => {
    const answer = await fetch(door + path, {
      credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
      ...(body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
    return answer.json();
  };

  ask(`config.json?lang=${encodeURIComponent(lang)}${gpc ? "&gpc=1" : ""}`).then((config) => {
    if (!config.form) return;
    // Other consent tools may say what was chosen there: dispatchEvent(new CustomEvent("callprivacy", { detail: "yes" })).
    addEventListener("callprivacy", ({ detail }) => { if (detail === "yes" || detail === "no") choose(detail, config); });
    draw(config);
    swap(config);
  }).catch(() => { /* what stands in the place, and the plain number, stay */ });
})();

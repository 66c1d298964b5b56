// The keypad of the menu's preview, and the demo's telephone. The telephone plays Twilio and CallRail: it asks the page
// for a signature and sends what they would send to the same public doors, then does what the answer says.

// ---- digits of the keyboard press the keys of the page ---------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
  const key = document.querySelector(`[data-keypad] button[data-key="${CSS.escape(event.key)}"]`);
  if (key && !key.disabled) {
    event.preventDefault();
    key.click();
  }
});

const LOOKS = { mine: "px-5 py-3 text-right font-semibold", heard: "px-5 py-3", ours: "px-5 py-3", vendor: "px-5 py-3 text-sm text-muted" };
const page = document.getElementById("phone");
if (page) start(page);

function start(page) {
  const find = (name) => page.querySelector(`[data-part="${name}"]`);
  const parts = Object.fromEntries(
    ["line", "caller", "attestation", "state", "log", "texts", "vendor", "text", "send", "call", "hang-up", "pick-up", "answers", "no-answer", "silence"].map((name) => [name, find(name)]),
  );
  const token = page.querySelector("[name=csrfmiddlewaretoken]").value;
  let call = null;
  let ringing = null;
  let seen = 0;

  // ---- what the vendor sends -------------------------------------------------------------------------------------------
  const hex = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length / 2)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  async function send(path, body, type) {
    const signed = await fetch(page.dataset.sign, {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new URLSearchParams({ path, body }),
    });
    if (!signed.ok) throw new Error(`Not signed: ${signed.status}`);
    const { header, signature } = await signed.json();
    return fetch(path, { method: "POST", credentials: "omit", headers: { "Content-Type": type, [header]: signature }, body });
  }
  const form = (path, said) => send(path, new URLSearchParams(said).toString(), "application/x-www-form-urlencoded");
  const door = (address) => {
    const url = new URL(address, location.href);
    return url.pathname + url.search;
  };

  // ---- what is seen ----------------------------------------------------------------------------------------------------
  function add(list, kind, text, language) {
    const item = document.createElement("li");
    item.className = LOOKS[kind] ?? LOOKS.vendor;
    item.dataset.kind = kind;
    if (language) item.lang = language;
    item.textContent = text;
    list.append(item);
    list.scrollTop = list.scrollHeight;
  }
  const log = (kind, text, language) => add(parts.log, kind, text, language);
  const line = () => parts.line.selectedOptions[0]?.dataset ?? {};

  function show() {
    const active = call !== null;
    parts.state.textContent = !active ? (ringing ? "Rings" : "On hook") : call.desk ? "At the agent desk" : call.recording && !call.stopped ? "Recording" : call.connected ? "Connected, not recorded" : "In the menu, not recorded";
    parts.state.dataset.state = !active ? "idle" : call.recording && !call.stopped ? "recording" : "live";
    parts.call.disabled = active || !line().key;
    parts["hang-up"].disabled = !active;
    parts["pick-up"].disabled = active || !ringing;
    parts.answers.disabled = parts["no-answer"].disabled = !call?.dialAt;
    parts.silence.disabled = !call?.gatherAt;
    for (const key of page.querySelectorAll("button[data-key]")) key.disabled = !call?.gatherAt;
    for (const name of ["line", "caller", "attestation"]) parts[name].disabled = active;
    parts.send.disabled = !line().textKey || parts.caller.value === "anonymous";
  }

  // ---- a call ----------------------------------------------------------------------------------------------------------
  const said = (more) => ({
    CallSid: call.sid, AccountSid: call.account, ApiVersion: "2010-04-01", From: call.from, To: call.to, Direction: "inbound",
    CallStatus: "in-progress", ...(call.attestation ? { StirVerstat: call.attestation } : {}), ...more,
  });

  async function place() {
    const to = line();
    call = {
      sid: `CA${hex(32)}`, account: to.account, from: parts.caller.value, to: to.number, key: to.key, vendor: to.vendor,
      attestation: parts.attestation.value, at: Date.now(), announcement: to.announcement, records: to.records === "yes",
    };
    log("mine", `You call ${to.number}.`);
    show();
    if (call.vendor === "twilio") {
      const answer = await form(`/twilio/${call.key}/voice/`, said({ CallStatus: "ringing" }));
      if (answer.ok) return follow(await answer.text());
      log("vendor", answer.status === 404 ? "No menu answers this number: Twilio does what is set for it there." : `We answered ${answer.status}: Twilio does what is set for the number there.`);
    }
    withoutUs();
  }

  function withoutUs() {
    if (call.announcement) log("heard", `“${call.announcement}”`);
    call.connected = true;
    if (call.records) {
      call.recording = `RE${hex(32)}`;
      log("vendor", "The vendor records this number by itself.");
    }
    log("vendor", "You are connected.");
    show();
  }

  async function follow(text) {
    const answer = new DOMParser().parseFromString(text, "text/xml").documentElement;
    call.gatherAt = call.dialAt = null;
    await run([...answer.children]);
  }

  // What stands after a question is heard only when nobody presses a key, and not where silence is an answer, too.
  async function run(verbs) {
    while (verbs.length) {
      const verb = verbs.shift();
      await act(verb);
      if (verb.tagName === "Gather") {
        call.rest = verb.getAttribute("actionOnEmptyResult") === "true" ? null : verbs;
        break;
      }
    }
    show();
  }

  async function act(verb) {
    const words = () => {
      for (const say of verb.tagName === "Say" ? [verb] : verb.querySelectorAll("Say")) log("heard", `“${say.textContent}”`, say.getAttribute("language")?.slice(0, 2));
    };
    switch (verb.tagName) {
      case "Say":
        words();
        break;
      case "Gather":
        words();
        call.gatherAt = door(verb.getAttribute("action"));
        break;
      case "Start": {
        call.recording = `RE${hex(32)}`;
        call.recordingAt = door(verb.querySelector("Recording").getAttribute("recordingStatusCallback"));
        log("vendor", "The recording starts.");
        await recorded("in-progress");
        break;
      }
      case "Dial":
        call.dialAt = verb.getAttribute("action") ? door(verb.getAttribute("action")) : null;
        call.connected = true;
        log("vendor", call.desk ? `You are connected with the caller, who sees ${verb.getAttribute("callerId")}.` : `You are connected to ${verb.textContent}.`);
        break;
      case "Hangup":
        await hangUp();
        break;
    }
  }

  const recorded = (status, more) =>
    form(call.recordingAt, {
      CallSid: call.sid, AccountSid: call.account, RecordingSid: call.recording, RecordingStatus: status,
      RecordingUrl: `https://api.twilio.com/2010-04-01/Accounts/${call.account}/Recordings/${call.recording}`, ...more,
    });

  async function press(digit) {
    const at = call.gatherAt;
    call.gatherAt = null;
    log("mine", digit ? `You press ${digit}.` : "You press nothing.");
    show();
    if (!digit && call.rest) return run(call.rest);
    await told(await form(at, said({ Digits: digit })));
  }

  async function dialled(status) {
    const at = call.dialAt;
    call.dialAt = null;
    call.connected = false;
    log("vendor", status === "completed" ? "The other side hangs up." : "Nobody answers.");
    show();
    await told(await form(at, said({ DialCallStatus: status })));
  }

  async function told(answer) {
    if (answer.ok) return follow(await answer.text());
    log("vendor", `We answered ${answer.status}: Twilio does what is set for the number there.`);
    withoutUs();
  }

  // ---- the agent's own telephone, rung for a call back ------------------------------------------------------------------
  async function pickUp() {
    const ring = ringing;
    ringing = null;
    if (!ring) return;
    call = { sid: ring.call, account: ring.account, from: ring.shown, to: ring.to, key: ring.key, vendor: "twilio", at: Date.now(), desk: true };
    log("mine", "You pick up.");
    show();
    const answer = await form(ring.path, said({ Direction: "outbound-api" }));
    if (answer.ok) return follow(await answer.text());
    log("vendor", `We answered ${answer.status}.`);
    call = null;
  }

  async function hangUp() {
    if (!call) return;
    const over = call;
    const seconds = Math.max(1, Math.round((Date.now() - over.at) / 1000));
    log("mine", "The call is over.");
    if (over.desk) log("vendor", "Nobody recorded it.");
    else if (over.vendor === "callrail") await reportAsCallRail(over, seconds);
    else await reportAsTwilio(over, seconds);
    if (call === over) call = null;
    show();
  }

  async function reportAsTwilio(over, seconds) {
    if (over.recordingAt) await recorded("completed", { RecordingDuration: String(seconds) });
    await form(`/twilio/${over.key}/voice/status/`, said({
      CallStatus: "completed", CallDuration: String(seconds), SequenceNumber: "3", Timestamp: new Date().toUTCString(), CallbackSource: "call-progress-events",
    }));
    if (over.recording && !over.recordingAt) {
      over.recordingAt = `/twilio/${over.key}/voice/recording/`;
      await recorded("completed", { RecordingDuration: String(seconds) });
    }
  }

  async function reportAsCallRail(over, seconds) {
    const id = `CAL${hex(32)}`;
    const body = {
      resource_id: id, answered: true, direction: "inbound", start_time: new Date(over.at).toISOString(), duration: String(seconds),
      customer_phone_number: over.from, tracking_phone_number: over.to, source_name: "Google Ads", customer_country: "US",
    };
    if (over.recording) Object.assign(body, { recording: `https://app.callrail.com/calls/${id}/recording?access_key=demo`, recording_duration: seconds });
    await send(`/hooks/callrail/${over.key}/`, JSON.stringify(body), "application/json");
  }

  // ---- a text ----------------------------------------------------------------------------------------------------------
  async function write() {
    const to = line();
    const words = parts.text.value.trim();
    if (!words) return;
    parts.text.value = "";
    add(parts.texts, "mine", words);
    const answer = await form(`/twilio/${to.textKey}/sms/`, {
      MessageSid: `SM${hex(32)}`, AccountSid: to.textAccount, From: parts.caller.value, To: to.textTo, Body: words, NumMedia: "0",
    });
    if (!answer.ok) add(parts.texts, "vendor", `We answered ${answer.status}.`);
  }

  // ---- what our side asks of the vendor --------------------------------------------------------------------------------
  const asked = {
    own: (event) => add(parts.texts, "vendor", `Twilio: ${event.words}`),
    text: (event) => {
      add(parts.vendor, "text", `A text was sent to ${event.to}.`);
      add(parts.texts, "ours", event.words);
    },
    blocked: (event) => add(parts.vendor, "blocked", `A text to ${event.to} was refused: that number has opted out (21610).`),
    stopped: (event) => {
      add(parts.vendor, "stopped", "The running recording was stopped.");
      if (call && call.sid === event.call) call.stopped = true;
    },
    ring: (event) => {
      ringing = event;
      add(parts.vendor, "ring", `A call to ${event.to} was asked for: the agent’s phone rings.`);
      log("vendor", "The phone beside the agent rings.");
    },
    deleted: () => add(parts.vendor, "deleted", "A recording was deleted."),
  };

  async function listen() {
    try {
      const answer = await fetch(page.dataset.heard, { headers: { Accept: "application/json", "X-Unattended": "1" } });
      if (answer.ok) {
        const fresh = (await answer.json()).events.filter((event) => event.number > seen);
        const first = seen === 0 && page.dataset.listening !== "yes";
        for (const event of fresh) {
          seen = event.number;
          if (!first && asked[event.what]) asked[event.what](event);
        }
        page.dataset.listening = "yes";
        if (fresh.length) show();
      }
    } catch {
      // the next look finds it
    }
    setTimeout(listen, 1000);
  }

  // ---- the buttons -----------------------------------------------------------------------------------------------------
  const safely = (deed) => async () => {
    try {
      await deed();
    } catch (error) {
      log("vendor", String(error.message ?? error));
    }
    show();
  };
  for (const key of page.querySelectorAll("button[data-key]")) key.addEventListener("click", () => safely(() => press(key.dataset.key))());
  parts.call.addEventListener("click", safely(place));
  parts["pick-up"].addEventListener("click", safely(pickUp));
  parts["hang-up"].addEventListener("click", safely(hangUp));
  parts.silence.addEventListener("click", safely(() => press("")));
  parts.answers.addEventListener("click", safely(() => dialled("completed")));
  parts["no-answer"].addEventListener("click", safely(() => dialled("no-answer")));
  parts.line.addEventListener("change", show);
  parts.caller.addEventListener("change", show);
  page.querySelector("[data-part=write]").addEventListener("submit", (event) => {
    event.preventDefault();
    safely(write)();
  });
  show();
  listen();
}

// Passkeys and security keys, by what browsers know of themselves (WebAuthn level 3). A form says what it wants:
// data-passkey is "create" or "get", its options stand in the element that data-options names or come from the address
// data-options-url, the answer goes into its field `credential`.

const WORDS = {
  NotAllowedError: "That was cancelled, or took too long. Try again.",
  InvalidStateError: "This key is among yours already.",
  SecurityError: "Keys work at the address of this installation only, over https.",
};

const optionsOf = async (form) => {
  if (!form.dataset.optionsUrl) return JSON.parse(document.querySelector(form.dataset.options).textContent);
  const answer = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error("The server gave no answer. Try again.");
  return answer.json();
};

const createKey = async (form) => {
  const { creation_options: asked } = await optionsOf(form);
  const key = PublicKeyCredential.parseCreationOptionsFromJSON(asked.publicKey);
  const alone = form.querySelector("input[name=passwordless]")?.checked ?? false;
  key.authenticatorSelection = {
    ...key.authenticatorSelection,
    residentKey: alone ? "required" : "discouraged",
    requireResidentKey: alone,
    ...(alone ? { userVerification: "required" } : {}),
  };
  return navigator.credentials.create({ publicKey: key });
};

const useKey = async (form) => {
  const { request_options: asked } = await optionsOf(form);
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked.publicKey) });
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const said = form.querySelector("[data-passkey-said]");
  const say = (text) => {
    said.textContent = text;
    said.hidden = !text;
  };
  const button = form.querySelector("[data-passkey-go]");
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    button.disabled = true;
    say("This browser knows no passkeys.");
    continue;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault(); // `submit()` below asks nobody
    say("");
    try {
      const credential = form.dataset.passkey === "create" ? await createKey(form) : await useKey(form);
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (error) {
      say(WORDS[error.name] ?? error.message);
    }
  });
}

// The key of a monitor that asks for one: shown once, for a cookie that no script can read.

import { byId, say } from "./elements.js";
import { ask } from "./link.js";

const PATH = "api/session";

export class SignIn {
  // ready() is called when all may be asked for.
  constructor(ready) {
    this.ready = ready;
    this.dialog = byId("sign-in");
    byId("sign-in-form").addEventListener("submit", (event) => this.submit(event));
    this.dialog.addEventListener("cancel", (event) => event.preventDefault()); // there is nothing behind it
    byId("sign-out").addEventListener("click", () => this.leave());
  }

  // Ask for the key where there is no connection without. False where it is asked for; a monitor that doesn't
  // answer says nothing of that.
  async look() {
    const session = await ask(PATH).catch(() => null);
    if (!session) return true;
    byId("sign-out").hidden = !(session.key_needed && session.signed_in);
    if (!session.signed_in && !this.dialog.open) this.dialog.showModal();
    return session.signed_in;
  }

  async submit(event) {
    event.preventDefault();
    const field = byId("sign-in-key");
    try {
      await ask(PATH, { method: "POST", body: { key: field.value } });
      field.value = "";
      say(byId("sign-in-said"), "");
      this.dialog.close();
      this.look();
      this.ready();
    } catch (error) {
      say(byId("sign-in-said"), error.message);
      field.select();
    }
  }

  async leave() {
    await ask(PATH, { method: "DELETE" }).catch(() => null);
    location.reload(); // with it goes all that was shown
  }
}

// Search in pages that are opened from a folder: a browser starts no worker there, so the worker's script runs in a frame.
// (The theme looks for a file with this name, and would else ask the network for one.)
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script>
        window.postMessage = (data) => parent.postMessage(data, "*");
        window.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, fail) => {
          const script = document.createElement("script");
          Object.assign(script, { src: url, onload: done, onerror: fail });
          document.head.append(script);
        })), Promise.resolve());
      <\/script><script src="${new URL(url, location.href)}"><\/script>`;
      this.frame.addEventListener("load", () => {
        this.send = (data) => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
        this.waiting.forEach((data) => this.send(data));
      });
      window.addEventListener("message", (event) => {
        if (event.source === this.frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      document.body.append(this.frame);
    }

    postMessage(data) { if (this.send) this.send(data); else this.waiting.push(data); }

    terminate() { this.frame.remove(); }
  };
}

// The page's own two duties: to take the placeholder away when there is something to see, and to load itself again
// when nothing new has come for long, because the server was started anew or a laptop slept.
(function () {
  "use strict";
  var refresh = 60000;
  var loading = document.getElementById("loading");
  var stamp = null;
  var changed = performance.now();
  var shown = false;

  function isThere() {
    return document.querySelector("#rendered_cells .jupyter-widgets, .db-plain[role=alert]") !== null;
  }

  // a slider's handle has no name of its own, and counts days where a person reads dates
  function nameSliders() {
    document.querySelectorAll(".widget-slider").forEach(function (slider) {
      var handle = slider.querySelector("[role=slider]");
      var label = slider.querySelector(".widget-label");
      var readout = slider.querySelector(".widget-readout");
      if (handle === null || label === null || readout === null) { return; }
      handle.setAttribute("aria-label", label.textContent);
      if (handle.getAttribute("aria-valuetext") !== readout.textContent) {
        handle.setAttribute("aria-valuetext", readout.textContent);
      }
    });
  }

  function look() {
    nameSliders();
    if (!shown && isThere()) {
      shown = true;
      changed = performance.now();
      loading.hidden = true;
    }
    var found = document.querySelector("[data-stamp]");
    var now = found === null ? null : found.getAttribute("data-stamp");
    if (found !== null) { refresh = 1000 * (Number(found.getAttribute("data-refresh")) || 60); }
    if (now !== stamp) {
      stamp = now;
      changed = performance.now();
    }
  }

  function isBusy() {
    var field = document.activeElement;
    return field !== null && field.matches("input[type=text], textarea") && field.value !== "";
  }

  // once the server answers again; who is writing a reason is not interrupted
  async function again() {
    if (document.visibilityState === "hidden" || isBusy()) { return; }
    try {
      var answer = await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
      if (answer.status < 500) { location.reload(); }
    } catch (error) { /* not yet */ }
  }

  // a browser that came too late finds its kernel gone: it gets another one
  async function atLast() {
    var config = document.getElementById("jupyter-config-data");
    if (config === null) { return; }
    var page = JSON.parse(config.textContent);
    try {
      var answer = await fetch(page.baseUrl + "api/kernels/" + page.kernelId, { cache: "no-store" });
      if (answer.status === 404) { location.reload(); }
    } catch (error) { /* not yet */ }
  }

  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-stamp"]
  });
  setInterval(function () {
    look();
    if (shown && stamp !== null && performance.now() - changed > 3 * refresh) { again(); }
    if (!shown && performance.now() - changed > 30000) {
      loading.querySelector(".db-wait").textContent = "Still opening …";
      atLast();
    }
  }, 2000);
  window.addEventListener("pageshow", function (event) { if (event.persisted) { location.reload(); } });
  look();
}());

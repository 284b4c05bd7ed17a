// The page's own duties: to take the placeholder away when there is something to see, to say when the kernel behind it
// or the server is gone, and to load itself again then, or when nothing new has come for long because a laptop slept.
// Loaded again it opens where it was. And Enter leads through a form.
(function () {
  "use strict";
  var PLACE = "driftbook-place";
  var BETWEEN = 4000;  // milliseconds from one question whether the kernel lives to the next
  var TO_READ = 3000;  // for a person to read why the page goes
  var TRIES = "driftbook-tries";
  var MOST_TRIES = 3;
  var LONGEST = 90000;  // until a page that shows nothing is asked for anew
  var refresh = 60000;
  var loading = document.getElementById("loading");
  var stamp = null;
  var changed = performance.now();
  var shown = false;
  var asked = 0;
  var asking = false;
  var leaving = false;
  var back = false;
  var lost = document.getElementById("lost");

  function isThere() {
    return document.querySelector("#rendered_cells .jupyter-widgets, .db-plain[role=alert]") !== null;
  }

  // on a busy machine the kernel's answer may fail to come in time, and the widgets' own scripts give up
  function isBroken() {
    var cells = document.getElementById("rendered_cells");
    return cells !== null && document.querySelector("[data-stamp]") === null &&
      cells.textContent.indexOf("Error displaying widget") >= 0;
  }

  function tryAgain() {
    var tries = MOST_TRIES;
    if (leaving) { return; }
    leaving = true;
    try {
      tries = Number(sessionStorage.getItem(TRIES)) || 0;
      sessionStorage.setItem(TRIES, String(tries + 1));
    } catch (error) { /* a browser that keeps nothing would try for ever */ }
    if (tries < MOST_TRIES) {
      setTimeout(reload, 1000 * (tries + 1));
    } else {
      say("This page could not be opened. Load it again in a while.");
    }
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
    if (!shown && isBroken()) {
      tryAgain();
      return;
    }
    if (!shown && isThere()) {
      shown = true;
      changed = performance.now();
      loading.hidden = true;
    }
    if (shown && !back) { comeBack(); }
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

  function placeField() { return document.querySelector(".dash-place input"); }

  // from here to the same page, day and choices of a new kernel
  function reload() {
    var field = placeField();
    try {
      if (field !== null) { sessionStorage.setItem(PLACE, field.value); }
    } catch (error) { /* a browser that keeps nothing opens at the beginning */ }
    location.reload();
  }

  function comeBack() {
    var field = placeField(), kept = null;
    if (field === null) { return; }
    back = true;
    try {
      kept = sessionStorage.getItem(PLACE);
      sessionStorage.removeItem(PLACE);
      sessionStorage.removeItem(TRIES);
    } catch (error) { /* nothing was kept */ }
    if (kept === null || kept === field.value) { return; }
    field.value = kept;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function say(words) {
    if (lost.textContent !== words) { lost.textContent = words; }
  }

  // once the server answers again; who is writing a reason is not interrupted
  async function again() {
    if (document.visibilityState === "hidden" || isBusy()) { return; }
    try {
      var answer = await fetch(document.baseURI, { method: "HEAD", cache: "no-store" });
      if (answer.status < 500) { reload(); }
    } catch (error) { /* not yet */ }
  }

  // a kernel may die and a server end without a word: their connection stays, or its end is told to nobody. A browser
  // that came too late finds its kernel gone, too
  async function ask() {
    var config = document.getElementById("jupyter-config-data");
    if (config === null || asking || leaving || document.visibilityState === "hidden") { return; }
    var page = JSON.parse(config.textContent);
    var status = 0;
    asking = true;
    try {
      var how = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(5 * BETWEEN) };
      var answer = await fetch(page.baseUrl + "api/kernels/" + page.kernelId, how);
      status = answer.type === "opaqueredirect" ? 401 : answer.status;
    } catch (error) { /* nobody answers */ }
    asking = false;
    asked = performance.now();
    if (status === 200) { say(""); return; }
    if (isBusy()) {
      say("The connection to the server was lost. What you are writing cannot be sent: copy it, then leave the field.");
      return;
    }
    say("The connection to the server was lost; this page opens again by itself.");
    if (status === 401 || status === 403 || status === 404) {
      leaving = true;
      setTimeout(reload, TO_READ);
    }
  }

  // Enter in the last field of a form leads on to its button; who holds the key down has not pressed the button yet
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || !event.target.matches(".dash-form input[type=text], .dash-form button")) { return; }
    if (event.target.matches("input")) {
      event.preventDefault();
      event.target.closest(".dash-form").querySelector("button.mod-primary").focus();
    } else if (event.repeat) {
      event.preventDefault();
    }
  }, true);  // first, because a widget keeps its keys to itself

  new MutationObserver(look).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-stamp"]
  });
  setInterval(function () {
    look();
    if (shown && stamp !== null && performance.now() - changed > 3 * refresh) { again(); }
    if (!shown && performance.now() - changed > 30000) {
      loading.querySelector(".db-wait").textContent = "Still opening …";
      ask();
      if (performance.now() - changed > LONGEST) { tryAgain(); }
    } else if (shown && performance.now() - asked > BETWEEN) {
      ask();
    }
  }, 2000);
  document.addEventListener("visibilitychange", function () { if (shown) { ask(); } });
  window.addEventListener("pageshow", function (event) { if (event.persisted) { reload(); } });
  look();
}());

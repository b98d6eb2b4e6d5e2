// The live page: follows the stream, draws the newest rows, pauses, resumes after a break.
// Everything that comes from an event is put in as text, never as markup.
const $ = (id) => document.getElementById(id);
const feed = $("feed"), rows = $("rows"), state = $("state"), figures = $("figures");
const MAX_ROWS = 300, MAX_WHAT = 180, DRAW_MS = 250, STATUS_MS = 10000, WAIT_MS = [1000, 2000, 3000, 5000, 10000];
const seen = new Map();            // CloudEvent ids, oldest first: repeats are left out
let after = feed.dataset.after, lastEvent = feed.dataset.seen, source = null, tries = 0, timer = 0;
let paused = false, waiting = [], arrived = 0, said = 0, spoken = Date.now(), skipped = 0, gapAt = "";

document.documentElement.classList.add("js");
$("controls").hidden = false;
for (const row of rows.querySelectorAll("tr.event")) remember(row.dataset.id);

function remember(id) {
  if (seen.has(id)) return false;
  seen.set(id, true);
  if (seen.size > 5000) seen.delete(seen.keys().next().value);
  return true;
}

const WORDS = { connecting: "Connecting", live: "Live", offline: "Offline", replaying: "Catching up", paused: "Paused" };
function show(name, more = "") {
  state.dataset.state = name;
  const text = name === "reconnecting" ? `Reconnecting (${tries})` : WORDS[name];
  const full = text + more;
  if ($("state-text").textContent !== full) $("state-text").textContent = full;
  if (state.dataset.told !== name) { state.dataset.told = name; $("status").textContent = full; }
}
function pausedWord() { return waiting.length ? `: ${waiting.length} waiting` : ""; }

function connect() {
  clearTimeout(timer);
  const query = new URLSearchParams(feed.dataset.query);
  if (after) query.set("after", after);
  if (lastEvent) query.set("seen", lastEvent);
  source = new EventSource(`/events/stream?${query}`);
  source.addEventListener("hello", (message) => {
    const hello = JSON.parse(message.data);
    tries = 0;
    if (!after) after = hello.position;
    paused ? show("paused", pausedWord()) : show("live");
  });
  source.addEventListener("cloudevent", (message) => {
    after = message.lastEventId;
    let event;
    try { event = JSON.parse(message.data); } catch { return; }
    lastEvent = event.id;
    if (!remember(event.id)) return;
    arrived++;
    take({ event });
  });
  source.addEventListener("gap", (message) => {
    if (message.lastEventId) after = message.lastEventId;
    const gap = JSON.parse(message.data);
    if (gapAt === gap.message) return;
    gapAt = gap.message;
    take({ gap: gap.message });
  });
  source.addEventListener("stats", (message) => { stats(JSON.parse(message.data)); });
  source.addEventListener("bye", (message) => {
    source.close();
    show("offline", `: ${JSON.parse(message.data).message}`);
    source = null;
  });
  source.onerror = () => {            // also after a refusal, which EventSource does not repeat
    if (!source) return;
    source.close();
    source = null;
    tries++;
    navigator.onLine === false ? show("offline") : show("reconnecting");
    timer = setTimeout(connect, WAIT_MS[Math.min(tries, WAIT_MS.length) - 1]);
  };
}

function take(item) {
  waiting.push(item);
  if (waiting.length > MAX_ROWS) { waiting.shift(); skipped++; }
  gapAt = item.gap ? gapAt : "";
}

setInterval(() => {
  if (paused) { show("paused", pausedWord()); return; }
  if (waiting.length) draw();
  const now = Date.now();
  if (arrived > said && now - spoken > STATUS_MS) {
    const text = `Live, ${arrived - said} new events`;
    $("status").textContent = text;
    if ($("announce").checked) { $("announcer").ariaLive = "polite"; $("announcer").textContent = text; }
    said = arrived; spoken = now;
  }
}, DRAW_MS);

function draw() {
  const batch = waiting.splice(0), fragment = document.createDocumentFragment();
  for (const item of batch.reverse()) fragment.append(item.gap ? gapRow(item.gap) : eventRow(item.event));
  rows.prepend(fragment);
  for (let extra = rows.children.length - MAX_ROWS; extra > 0; extra--) {
    const last = rows.lastElementChild;
    if (last.contains(document.activeElement)) break;   // what somebody reads stays
    last.remove();
  }
  $("empty")?.remove();
}

function gapRow(text) {
  const row = $("gap").content.firstElementChild.cloneNode(true);
  row.querySelector(".text").textContent = text;
  return row;
}

function eventRow(event) {
  const row = $("row").content.firstElementChild.cloneNode(true);
  const data = event.data && typeof event.data === "object" ? event.data : {};
  const type = String(event.type).replace(/^io\.cloudflux\./, "").replace(/\.v1$/, "");
  const severity = ["warning", "error"].includes(event.severity) ? event.severity : "info";
  row.dataset.id = event.id;
  row.classList.add(severity, "fresh");
  const time = row.querySelector("time"), at = new Date(event.time);
  time.dateTime = time.title = String(event.time ?? "");
  time.textContent = isNaN(at) ? "" : at.toISOString().slice(11, 19);
  const badge = row.querySelector(".badge"), family = type.split(".")[0];
  if (/^[a-z]+$/.test(family)) badge.classList.add(family);
  badge.href = `/events?id=${encodeURIComponent(event.id)}`;
  badge.querySelector(".mark").textContent = { warning: "▲", error: "✕" }[severity] ?? "●";
  badge.querySelector(".word").textContent = severity === "info" ? type : `${type} (${severity})`;
  const set = row.querySelector(".set");
  if (data.dataSet) {
    const link = document.createElement("a");
    link.href = `/datasets/${encodeURIComponent(data.namespace)}/${encodeURIComponent(data.dataSet)}`;
    link.textContent = `${data.namespace}/${data.dataSet}`;
    set.append(link);
  } else set.textContent = data.namespace ?? "";
  row.querySelector(".provider").textContent = provider(data.provider);
  const what = row.querySelector(".what");
  if (event.synthetic === "true" || event.synthetic === true) {
    const mark = document.createElement("strong");
    mark.className = "synthetic"; mark.textContent = "simulated";
    what.append(mark, " ");
  }
  what.append(describe(data));
  row.querySelector(".bytes").textContent = bytes(data.bytesDone ?? data.bytes ?? sum(data.recommendations, "bytes"));
  row.querySelector(".money").textContent = money(data);
  row.querySelector(".sure").textContent = Number.isFinite(data.confidencePercent) ? `${data.confidencePercent} %` : "";
  row.raw = event;
  return row;
}

const provider = (name) => ({ s3: "S3", az: "Azure", azure: "Azure", gs: "Google Cloud", gcs: "Google Cloud", file: "File" })[name] ?? String(name ?? "");
const sum = (list, key) => Array.isArray(list) ? list.reduce((total, one) => total + (Number(one?.[key]) || 0), 0) : undefined;
function bytes(size) {
  if (!Number.isFinite(size)) return "";
  let unit = 0;
  while (size >= 999.5 && unit < 5) { size /= 1024; unit++; }
  return `${unit ? size.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0) : size} ${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit]}`;
}
function money(data) {
  const found = data.savingsPerMonth ?? data.projectedSavingsPerMonth, cost = data.monthlyCost;
  const digits = (value) => value > 0 && value < 0.00005 ? "< 0.0001" : value.toLocaleString("en", { minimumFractionDigits: value && Math.abs(value) < 0.1 ? 4 : 2, maximumFractionDigits: value && Math.abs(value) < 0.1 ? 4 : 2 });
  const amount = (value) => `${digits(Number(value))} ${data.currency ?? ""}`.trim();
  if (Array.isArray(data.tiers) && cost) return amount(cost);   // what was measured is the cost
  if (found !== undefined && found !== null) return `saves ${amount(found)}`;
  return cost === undefined || cost === null ? "" : amount(cost);
}
function describe(data) {
  const parts = [];
  if (data.from || data.to) parts.push(`${data.from ?? "?"} → ${data.to ?? "?"}`);
  if (data.temperature) parts.push(data.temperature);
  if (data.uri) parts.push(data.uri);
  if (Number.isFinite(data.percent)) parts.push(`${data.percent} %`);
  if (Number.isFinite(data.reads7d)) parts.push(`${data.reads7d} reads in 7 days`);
  if (Array.isArray(data.recommendations) && data.recommendations.length) {
    const first = data.recommendations[0];
    parts.push(`${first.from} → ${first.to}: ${first.reason}`);
  }
  if (data.policy && !data.job) parts.push(`policy ${data.policy}`);
  if (data.message) parts.push(data.message);
  const text = parts.join(" · ");
  return text.length <= MAX_WHAT ? text : `${text.slice(0, MAX_WHAT - 1).trimEnd()}…`;
}

function stats(found) {
  const word = found.source.connected ? "" : ` · source ${found.source.kind} is away`;
  const left = skipped ? ` · ${skipped} not drawn` : "";
  figures.textContent = `Showing ${rows.querySelectorAll("tr.event").length} of ${found.held} kept · ${found.eventsPerSecond} events a second · ${found.clients} ${found.clients === 1 ? "stream" : "streams"}${left}${word}`;
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").textContent = paused ? "Resume" : "Pause";
  $("pause").setAttribute("aria-pressed", String(paused));
  if (paused) show("paused", pausedWord());
  else { source ? show("live") : show("reconnecting"); if (waiting.length) draw(); }
});
$("announce").addEventListener("change", (change) => {
  $("announcer").ariaLive = change.target.checked ? "polite" : "off";
});

async function open(row) {
  if (row.nextElementSibling?.classList.contains("detail")) { row.nextElementSibling.remove(); row.querySelector(".badge").setAttribute("aria-expanded", "false"); return; }
  let event = row.raw;
  if (!event) {
    const answer = await fetch(`/api/v1/events/item?id=${encodeURIComponent(row.dataset.id)}`);
    if (!answer.ok) { location.href = row.querySelector(".badge").href; return; }
    event = await answer.json();
  }
  const detail = $("detail").content.firstElementChild.cloneNode(true), data = event.data ?? {};
  detail.querySelector(".told").textContent = `${event.time ?? ""} · ${event.source}`;
  const command = data.job ? `kubectl describe migrationjob ${data.job} -n ${data.namespace}` : data.dataSet ? `kubectl describe dataset ${data.dataSet} -n ${data.namespace}` : data.policy ? `kubectl describe tieringpolicy ${data.policy} -n ${data.namespace}` : "";
  if (command) {
    detail.querySelector("code").textContent = command;
    detail.querySelector(".copy").addEventListener("click", async (click) => {
      await navigator.clipboard.writeText(command);
      click.target.textContent = "Copied";
    });
  } else detail.querySelector(".command").remove();
  detail.querySelector("pre").textContent = JSON.stringify(event, null, 2);
  row.after(detail);
  row.querySelector(".badge").setAttribute("aria-expanded", "true");
}
rows.addEventListener("click", (click) => {
  const row = click.target.closest("tr.event"), link = click.target.closest("a");
  if (!row || (link && !link.classList.contains("badge")) || click.ctrlKey || click.metaKey || getSelection().toString()) return;
  click.preventDefault();
  open(row);
});
addEventListener("online", () => { if (!source) connect(); });
connect();

"use strict";
const api = "/_sandbox/api/";
const byId = (id) => document.getElementById(id);
const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

async function send(command, body) {
  const answer = await fetch(api + command, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.error);
  return result;
}

// What each form sends.
const bodies = {
  codes: (form) => ({ kind: form.kind.value, subject: form.subject.value }),
  limits: (form) => ({
    jobMs: Number(form.jobMs.value),
    ratePerMinute: Number(form.ratePerMinute.value),
    concurrency: Number(form.concurrency.value),
  }),
  faults: (form) => {
    const member = { error: "code", html: "status", hang: "ms", huge: "megabytes" };
    const kind = form.kind.value;
    const fault = { kind };
    if (member[kind]) fault[member[kind]] = Number(form.value.value);
    if (kind === "redirect") fault.location = form.value.value;
    return { target: form.target.value, fault, times: Number(form.times.value) };
  },
  outcomes: (form) => {
    const outcome = { kind: form.kind.value };
    if (outcome.kind === "fail") Object.assign(outcome, { code: "PROVIDER_ERROR", message: "told to fail" });
    return { outcome, times: Number(form.times.value) };
  },
  clear: () => ({}),
};

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const command = form.dataset.command;
      const result = await send(command, bodies[command](form.elements));
      if (command === "codes") byId("code").replaceChildren(element("code", result.code));
      limitsShown = false;
      await refresh();
    } catch (error) {
      show(error);
    }
  });
}

// A value that suits the kind of fault.
byId("faults").elements.kind.addEventListener("change", (event) => {
  const usual = {
    error: 500, html: 502, hang: 3000, huge: 64,
    redirect: "http://169.254.169.254/latest/meta-data/",
  };
  const value = byId("faults").elements.value;
  value.disabled = !(event.target.value in usual);
  value.value = usual[event.target.value] ?? "";
});

function show(error) {
  byId("problem").hidden = !error;
  byId("problem").textContent = error ? String(error.message ?? error) : "";
}

function describe(step) {
  const { kind, ...rest } = step;
  return [kind, ...Object.values(rest)].join(" ");
}

function planned(state) {
  const lines = [];
  const add = (name, plan) => {
    for (const [step, times] of plan.next) lines.push(`${name}: ${describe(step)} × ${times}`);
    if (plan.always) lines.push(`${name}: ${describe(plan.always)} 一直 · always`);
  };
  for (const name of ["login", "token", "phone"]) add(`wechat.${name}`, state.wechat[name].plan);
  for (const name of ["submit", "poll", "file"]) add(`image.${name}`, state.image[name].plan);
  add("jobs", state.image.outcomes);
  byId("planned").replaceChildren(...lines.map((line) => element("li", line)));
}

let limitsShown = false;
let jobsShown = "";

function jobs(list) {
  const now = JSON.stringify(list);
  if (now === jobsShown) return;
  jobsShown = now;
  const cards = list.map((job) => {
    const card = element("figure");
    const pictures = element("div", undefined, "pictures");
    for (const name of job.pictures) {
      const image = element("img");
      image.src = `/_sandbox/files/${name}`;
      image.alt = job.prompt;
      image.loading = "lazy";
      pictures.append(image);
    }
    const caption = element("figcaption");
    caption.append(element("b", job.prompt));
    caption.append(element("span", job.error ?? job.status, job.status));
    caption.append(` · ${job.size} · ${new Date(job.createdAt).toLocaleTimeString()}`);
    card.append(pictures, caption);
    return card;
  });
  const empty = element("p", "还没有任务 · no jobs yet", "empty");
  byId("jobs").replaceChildren(...(cards.length ? cards : [empty]));
}

function requests(state) {
  const all = [
    ...state.wechat.requests.map((entry) => ({ to: "微信 · WeChat", ...entry })),
    ...state.image.requests.map((entry) => ({ to: "图像 · image", ...entry })),
  ];
  all.sort((a, b) => b.at.localeCompare(a.at) || b.seq - a.seq);
  const rows = all.slice(0, 40).map((entry) => {
    const row = element("tr");
    row.append(element("td", new Date(entry.at).toLocaleTimeString()));
    row.append(element("td", entry.to));
    row.append(element("td", `${entry.method} ${entry.target}`));
    const good = entry.status !== null && entry.status < 400;
    row.append(element("td", entry.status ?? "—", good ? "" : "bad"));
    row.append(element("td", entry.body));
    return row;
  });
  byId("requests").replaceChildren(...rows);
}

async function refresh() {
  const answer = await fetch(api + "state");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const state = await answer.json();
  byId("wechat-base").textContent = state.wechat.base;
  byId("appid").textContent = state.wechat.appid;
  byId("image-base").textContent = state.image.base;
  byId("api-key").textContent = state.image.apiKey;
  if (!limitsShown) {
    limitsShown = true;
    for (const name of ["jobMs", "ratePerMinute", "concurrency"]) {
      byId("limits").elements[name].value = state.image[name];
    }
  }
  planned(state);
  jobs(state.image.jobs);
  requests(state);
  show(null);
}

async function keepFresh() {
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    show(error);
  }
  setTimeout(keepFresh, 1500);
}
keepFresh();

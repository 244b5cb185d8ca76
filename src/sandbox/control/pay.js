"use strict";
const api = "/_sandbox/api/";
const byId = (id) => document.getElementById(id);
const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const yuan = (fen) => `¥${(fen / 100).toFixed(2)}`;
const time = (at) => new Date(at).toLocaleTimeString();

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

// What a choice means in full.
const step = {
  delayed: { kind: "delayed", ms: 10000 },
  duplicated: { kind: "duplicated", times: 3 },
  success: { kind: "success", after_ms: 0 },
  late: { kind: "success", after_ms: 30000 },
  abnormal: { kind: "abnormal", after_ms: 0 },
  closed: { kind: "closed", after_ms: 0 },
};
const chosen = (kind) => step[kind] ?? { kind };
const delivery = () => chosen(byId("how").elements.delivery.value);
// Pushes know no serial numbers and probes: those are plain news there.
const pushed = () => {
  const { kind, ...rest } = delivery();
  return ["probe", "wrong_serial"].includes(kind) ? { kind: "normal" } : { kind, ...rest };
};

// What each form sends.
const bodies = {
  pay: (form) => ({ params: JSON.parse(form.params.value), delivery: delivery() }),
  "pay-virtual": (form) => ({
    openid: form.openid.value,
    platform: form.platform.value,
    params: JSON.parse(form.params.value),
    delivery: pushed(),
  }),
  "pay-plans": (form) => {
    const body = { times: Number(form.times.value) };
    if (form.refundOutcome.value) body.refundOutcome = chosen(form.refundOutcome.value);
    if (form.push.value) body.push = chosen(form.push.value);
    for (const name of ["pushFormat", "trust"]) if (form[name].value) body[name] = form[name].value;
    if (form.speed.value) body.speed = Number(form.speed.value);
    return body;
  },
  faults: (form) => {
    const member = { error: "code", html: "status", hang: "ms" };
    const fault = { kind: form.kind.value };
    if (member[fault.kind]) fault[member[fault.kind]] = Number(form.value.value);
    return { target: form.target.value, fault, times: Number(form.times.value) };
  },
  clear: () => ({}),
};

async function act(command, body, said) {
  try {
    const result = await send(command, body);
    show(null);
    byId("done").textContent = `✓ ${said} ${result.outTradeNo ?? ""}`;
    await refresh();
  } catch (error) {
    byId("done").textContent = "";
    show(error);
  }
}

for (const form of document.querySelectorAll("form[data-command]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const command = form.dataset.command;
    let body;
    try {
      body = bodies[command](form.elements);
    } catch (error) {
      show(error);
      return;
    }
    act(command, body, form.querySelector("button").textContent);
  });
}

// A number that suits the kind of fault.
byId("faults").elements.kind.addEventListener("change", (event) => {
  const usual = { error: 429, html: 502, hang: 3000 };
  const value = byId("faults").elements.value;
  value.disabled = !(event.target.value in usual);
  value.value = usual[event.target.value] ?? "";
});

function show(error) {
  byId("problem").hidden = !error;
  byId("problem").textContent = error ? String(error.message ?? error) : "";
}

function button(text, command, body) {
  const made = element("button", text);
  made.addEventListener("click", () => act(command, body(), text));
  return made;
}

function actions(order) {
  const { outTradeNo, channel } = order;
  const cell = element("td", undefined, "actions");
  if (order.isPayable) {
    cell.append(button("付款 · Pay", "pay", () => ({ outTradeNo, delivery: delivery() })));
  } else if (order.state !== "CLOSED" && order.state !== "NOTPAY") {
    cell.append(button("再通知 · Notify again", "notify-again", () => ({ outTradeNo, delivery: delivery() })));
  }
  if (channel === "virtual") {
    if (order.leftFen > 0) {
      cell.append(button("用户退款 · User refund", "refund-by-user", () => ({ outTradeNo })));
    }
    cell.append(button("投诉 · Complain", "complain", () => ({ outTradeNo })));
  }
  return cell;
}

// A table is drawn again only when it changed, so that buttons stay under the pointer.
const drawn = {};
function rows(id, list, columns, make) {
  const now = JSON.stringify(list);
  if (drawn[id] === now) return;
  drawn[id] = now;
  const empty = element("tr");
  const cell = element("td", "还没有 · none yet", "empty");
  cell.colSpan = columns;
  empty.append(cell);
  byId(id).replaceChildren(...(list.length ? list.map(make) : [empty]));
}

function row(...cells) {
  const made = element("tr");
  made.append(...cells.map((cell) => (cell instanceof Node ? cell : element("td", cell))));
  return made;
}

function planned(state) {
  const lines = [];
  const describe = ({ kind, ...rest }) => [kind, ...Object.values(rest)].join(" ");
  const add = (name, plan) => {
    for (const [step, times] of plan.next) lines.push(`${name}: ${describe(step)} × ${times}`);
    if (plan.always) lines.push(`${name}: ${describe(plan.always)} 一直 · always`);
  };
  for (const [name, plan] of Object.entries(state.planned)) if (plan?.next) add(name, plan);
  for (const knob of state.knobs) add(knob.name, knob.faults.plan);
  byId("planned").replaceChildren(...lines.map((line) => element("li", line)));
}

async function refresh() {
  const answer = await fetch(api + "pay-state");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const state = await answer.json();
  if (!byId("targets").childElementCount) {
    byId("targets").append(...state.knobs.map((knob) => element("option", knob.name)));
  }
  const orders = state.orders.sort((a, b) => b.at.localeCompare(a.at));
  rows("orders", orders, 7, (order) =>
    row(
      time(order.at),
      order.channel === "virtual" ? `虚拟 · virtual (${order.platform})` : "微信支付 · WeChat Pay",
      `${order.outTradeNo} · ${order.openid}`,
      order.what,
      yuan(order.fen) + (order.leftFen < order.fen ? ` (余 · left ${yuan(order.leftFen)})` : ""),
      element("td", order.state, order.state === "SUCCESS" || order.state === "DELIVERED" ? "SUCCEEDED" : ""),
      actions(order),
    ),
  );
  rows("refunds", state.refunds, 5, (refund) =>
    row(time(refund.at), refund.outRefundNo, refund.outTradeNo, `${yuan(refund.fen)} / ${yuan(refund.totalFen)}`, refund.state),
  );
  rows("deliveries", state.deliveries, 5, (sent) =>
    row(
      time(sent.at),
      sent.event,
      sent.subject,
      String(sent.attempt),
      element("td", sent.status === null ? "—" : String(sent.status), sent.isAccepted ? "SUCCEEDED" : "bad"),
    ),
  );
  rows("requests", state.requests, 4, (entry) => {
    const good = entry.status !== null && entry.status < 400;
    const status = element("td", entry.status === null ? "—" : String(entry.status), good ? "" : "bad");
    return row(time(entry.at), `${entry.method} ${entry.target}`, status, entry.body);
  });
  byId("waiting").textContent = state.waiting ? `${state.waiting} 等待中 · waiting` : "";
  planned(state);
}

// What a button came to stays to be read; only the loss of the server goes by itself.
let isLost = false;
async function keepFresh() {
  try {
    if (!document.hidden) await refresh();
    if (isLost) show(null);
    isLost = false;
  } catch (error) {
    isLost = true;
    show(error);
  }
  setTimeout(keepFresh, 1500);
}
keepFresh();

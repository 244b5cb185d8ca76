// A month of a small business, so that pictures of the page show what it is like to work with. Everything comes through the
// doors that everybody uses, on the day it is said to have happened: the server's clock is moved by libfaketime (Debian:
// libfaketime). Without that there is today only.
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from '@playwright/test';
import { Player } from '../support/player';
import { OWNER, Server } from '../support/server';

const LIBRARIES = [process.env['FAKETIME_LIBRARY'], '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1'];
const DAYS = Number(process.env['HISTORY_DAYS'] ?? 30);
const NAMES = ['林小满', '周一白', '陈默', '苏晚', '江月', '顾北', '沈星河', '何田田', '许知远', '阿泽', '叶小舟', '唐棠', '陆离', '宋今', '白露', '秦川', '方圆', '温言', '程野', '简宁'];
const PROMPTS = ['雪山下的碧蓝湖泊，晨雾', '海上升起的满月，候鸟掠过', '沙漠深处的月牙泉', '秋日的胡杨林，金色阳光', '漓江上的一叶竹筏', '火山口上的极光', '抽象的几何海报，暖色', '星球与银河，科幻插画', '竹林里的小路，水墨', '悬崖边的白色灯塔', '层层叠叠的云海，日出', '镜子一样的盐湖，倒影'];

/** The same numbers each time. */
function dice(): (below: number) => number {
  let state = 20_260_101;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % below;
  };
}

export interface Lived {
  server: Server;
  /** An order that was refunded. */
  refunded: string;
}

/** A sandbox, its month, and today. */
export async function month(refund: (server: Server, orderId: string) => Promise<void>, hold: (server: Server) => Promise<void>): Promise<Lived> {
  const library = LIBRARIES.find((path) => path && existsSync(path));
  const clock = join(mkdtempSync(join(tmpdir(), 'dream-bff-clock-')), 'clock');
  const ago = (minutes: number): void => writeFileSync(clock, `-${minutes}m\n`);
  const DAY = 24 * 60;
  ago(library ? DAYS * DAY + 10 : 0);
  const server = await Server.start('sandbox', library ? { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', RATE_LIMIT_PER_USER: '0', RATE_LIMIT_PER_IP: '0' } : {});
  const draw = dice();
  for (let day = library ? DAYS : 0; day >= 0; day -= 1) {
    if (library) ago(day * DAY + (day ? 10 : 0));
    // More at weekends, and more from week to week.
    const buyers = 1 + Math.round((DAYS - day) / 9) + draw(3) + (day % 7 < 2 ? 2 : 0);
    for (let n = 0; n < buyers; n += 1) {
      const who = await Player.logIn(server.base, NAMES[draw(Math.min(NAMES.length, 5 + DAYS - day))] ?? '林小满');
      if (n === 0) await who.setSpeed(0);
      await (draw(4) === 0 ? who.buyPlan(draw(2)) : who.buyPoints(draw(3)));
      if (n < 2) await who.makePicture(PROMPTS[draw(PROMPTS.length)] ?? '');
      if (n === 1 && draw(4) === 0) await who.failToMake('一张不合适的图');
    }
    // Most come to look.
    const visitors = 2 + Math.round((DAYS - day) / 6) + draw(4);
    for (let n = 0; n < visitors; n += 1) await Player.logIn(server.base, `${NAMES[draw(NAMES.length)]}${draw(3) ? draw(100) : ''}`);
    if (library && day <= 1) {
      ago(day * DAY);
      await countMoment(server);
    }
  }
  const last = await Player.logIn(server.base, '林小满');
  const refunded = await last.buyPlan(0);
  await refund(server, refunded);
  await hold(server);
  for (const [n, prompt] of PROMPTS.entries()) {
    const who = await Player.logIn(server.base, NAMES[n] ?? '');
    await who.publish(prompt, undefined, n);
  }
  return { server, refunded };
}

/** "Yesterday at this hour" is noted by a task of its own; it is run now. */
async function countMoment(server: Server): Promise<void> {
  const api = await request.newContext({ baseURL: server.base, extraHTTPHeaders: { Origin: server.base } });
  const logged = await api.post('/admin/api/session/login', { data: OWNER });
  if (!logged.ok()) throw new Error(`log-in: ${await logged.text()}`);
  const run = await api.post('/admin/api/system/tasks/stats.moments/run');
  if (!run.ok()) throw new Error(`stats.moments: ${await run.text()}`);
  await api.dispose();
}

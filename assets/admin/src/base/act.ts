// Doing something and saying how it went.
import { Failure } from '../api/failure';
import { t } from './lang';
import { note } from './notes';

/** A failure as a person reads it. */
export function told(error: unknown): { text: string; detail?: string } {
  if (error instanceof Failure) {
    return { text: error.message, ...(error.requestId ? { detail: `${error.code} · ${t('请求号', 'request')} ${error.requestId}` } : {}) };
  }
  return { text: error instanceof Error ? error.message : String(error) };
}

export function noteFailure(error: unknown): void {
  const { text, detail } = told(error);
  note('error', text, detail ? { detail } : {});
}

/** Runs `work`; a failure becomes a note. Whether it succeeded. */
export async function attempt(work: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await work();
    if (done) note('success', done);
    return true;
  } catch (error) {
    noteFailure(error);
    return false;
  }
}

/** A soft action: done at once, with a way back for a while. */
export async function undoable(text: string, work: () => Promise<unknown>, back: () => Promise<unknown>, after: () => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    noteFailure(error);
    return;
  }
  after();
  note('success', text, {
    undo: () => {
      void attempt(back, t('已撤销', 'Undone')).then(after);
    },
  });
}

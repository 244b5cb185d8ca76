// Questions to the administrator, as a promise: what will happen is spelled out before, a reason is
// asked for where the books want one, and a refusal of the server is shown in the dialog, with what
// was typed still there.
import { shallowRef } from 'vue';

export interface AskField {
  key: string;
  label: string;
  type: 'text' | 'textarea' | 'password' | 'integer' | 'money' | 'select' | 'switch' | 'datetime';
  required?: boolean;
  value?: string | number | boolean | null;
  help?: string;
  options?: { value: string; label: string }[];
  min?: number;
  max?: number;
  autocomplete?: string;
  /** Shown only while this holds. */
  when?: (values: Values) => boolean;
}

/** Text as text, whole numbers as numbers, money in fen, times as RFC 3339. */
export type Values = Record<string, string | number | boolean | null>;

export interface Question {
  title: string;
  intro?: string;
  /** What will happen, one sentence each. */
  consequences?: string[];
  danger?: boolean;
  confirm: string;
  fields?: AskField[];
  /** Said below the fields while they are filled in. */
  preview?: (values: Values) => string | null;
  /** Does it; what it throws is shown in the dialog. */
  submit: (values: Values) => Promise<void>;
}

interface Open {
  question: Question;
  resolve: (done: boolean) => void;
}

/** What is asked now; the last is on top. */
export const open = shallowRef<Open[]>([]);

/** Whether it was confirmed and done. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    open.value = [...open.value, { question, resolve }];
  });
}

export function close(which: Open, done: boolean): void {
  open.value = open.value.filter((other) => other !== which);
  which.resolve(done);
}

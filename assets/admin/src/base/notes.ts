// Short notes at the edge of the page: what was done, with a way back where there is one.
import { reactive } from 'vue';

export interface Note {
  id: number;
  kind: 'success' | 'error' | 'info';
  text: string;
  detail?: string;
  undo?: () => void;
}

const SHOWN_MS = 5_000;
const UNDO_MS = 10_000;
const KEPT = 4;

export const notes = reactive<Note[]>([]);
let next = 1;

export function dismiss(id: number): void {
  const at = notes.findIndex((note) => note.id === id);
  if (at >= 0) notes.splice(at, 1);
}

export function note(kind: Note['kind'], text: string, more: { detail?: string; undo?: () => void } = {}): void {
  const id = next++;
  notes.push({ id, kind, text, ...more });
  if (notes.length > KEPT) notes.shift();
  setTimeout(() => dismiss(id), more.undo ? UNDO_MS : kind === 'error' ? UNDO_MS : SHOWN_MS);
}

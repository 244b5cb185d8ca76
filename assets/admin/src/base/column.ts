/** One column of a table. What is shown is a slot of the same name, else `text`, else the member `key`. */
export interface Column<T> {
  key: string;
  label: string;
  text?: (row: T) => string | number | null | undefined;
  align?: 'end';
  width?: string;
  /** The head of the card on a phone. */
  lead?: boolean;
  /** Left out on a phone, or below 1200 px. */
  hide?: 'phone' | 'wide';
}

// Every answer that is no success has one shape (docs/errors.md); this is it, on this side.

export class Failure extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The stable code to decide by. */
    readonly code: string,
    /** In the language of the page. */
    message: string,
    /** Finds the log lines; quote it when asking for help. */
    readonly requestId: string | null,
    /** The field that is wrong, where it is one. */
    readonly field: string | null,
  ) {
    super(message);
    this.name = 'Failure';
  }
}

interface ErrorBody {
  error?: string;
  message?: string;
  requestId?: string;
  details?: { field?: string };
}

/** What an answer that is no success says; also when something between us and the server answered. */
export async function failureOf(response: Response): Promise<Failure> {
  let body: ErrorBody = {};
  try {
    body = (await response.clone().json()) as ErrorBody;
  } catch {
    // Not ours: a proxy's page, or nothing at all.
  }
  return new Failure(
    response.status,
    body.error ?? `HTTP_${response.status}`,
    body.message ?? `${response.status} ${response.statusText}`.trim(),
    body.requestId ?? response.headers.get('X-Request-Id'),
    body.details?.field ?? null,
  );
}

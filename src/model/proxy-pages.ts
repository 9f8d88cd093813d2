/** Pages that proxies have of their own: what shows another comes from whoever stands behind. */

/** A proxy gives errors, redirects and refusals by itself, too: these come from whoever stands behind. */
export const isSurelyFromBehind = (status: number | undefined): boolean =>
  status !== undefined && ((status >= 200 && status < 300) || status === 404 || status === 405 || status === 422);

export const isNginxPage = (body: string): boolean => /<center>(nginx|openresty)/i.test(body);

export const isHaproxyPage = (body: string): boolean =>
  /<h1>5\d\d [A-Z][\w -]{2,40}<\/h1>\s*(?:No server is available to handle this request|The server returned an invalid or incomplete response|The server didn't respond in time|An internal server error occurr?ed)/.test(
    body,
  );

/** Pages that proxies have of their own: what shows another comes from whoever stands behind. */

export const isNginxPage = (body: string): boolean => /<center>(nginx|openresty)/i.test(body);

export const isHaproxyPage = (body: string): boolean =>
  /<h1>5\d\d [A-Z][\w -]{2,40}<\/h1>\s*(?:No server is available to handle this request|The server returned an invalid or incomplete response|The server didn't respond in time|An internal server error occurr?ed)/.test(
    body,
  );

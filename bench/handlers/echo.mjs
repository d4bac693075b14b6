/** As little as a handler can do. */
export const handle = (requests) => requests.map((request) => request.text());

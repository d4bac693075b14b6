/** A model's location as it may stand in a record: a URL without user, password, query and fragment, any of which may be a secret. Otherwise as it was. */
export function bareLocation(location: string): string {
  return location.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}

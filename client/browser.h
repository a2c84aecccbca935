/* SPDX-License-Identifier: ISC
 *
 * Shows a URL in the user's browser.
 */
#ifndef LT_CLIENT_BROWSER_H
#define LT_CLIENT_BROWSER_H

struct display;

/* Starts xdg-open(1) with it and does not wait; says so if that fails. */
void browser_open(const struct display *, const char *url);

#endif

/* SPDX-License-Identifier: ISC
 *
 * Makes up names for tunnels: adjective, noun, four digits. The words are
 * short, easy to spell and offend nobody; 64 x 64 x 10,000 names make it
 * unlikely that one is taken, and who asks tries again if it is. Called by
 * whoever opens a tunnel for a client that left the name to us.
 */
#include "server/names.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#define WORDS 64 /* a power of two: six random bits choose one */

static const char *const adjectives[] = { "amber", "ample", "azure", "bold",
	"brave", "bright", "brisk", "calm", "cheery", "clear", "clever", "cosy",
	"crisp", "curious", "dapper", "deep", "dusty", "eager", "early", "easy",
	"fair", "fancy", "fast", "fine", "fresh", "gentle", "glad", "golden",
	"grand", "green", "happy", "hardy", "honest", "humble", "jolly", "keen",
	"kind", "lively", "lucky", "mellow", "merry", "mighty", "misty",
	"modest", "neat", "noble", "plain", "polite", "proud", "quick", "quiet",
	"rapid", "ruby", "shiny", "silent", "silver", "smooth", "snowy",
	"steady", "sunny", "tidy", "vivid", "warm", "wise" };

static const char *const nouns[] = { "acorn", "anchor", "apple", "badger",
	"bay", "beacon", "birch", "breeze", "bridge", "brook", "canyon",
	"cedar", "cliff", "cloud", "comet", "coral", "creek", "dawn", "delta",
	"desert", "dune", "eagle", "ember", "falcon", "fern", "field", "finch",
	"fjord", "forest", "garden", "glade", "harbor", "hazel", "heron",
	"hill", "island", "lake", "lantern", "leaf", "linden", "maple", "marsh",
	"meadow", "moon", "oak", "ocean", "orchard", "otter", "pebble", "pine",
	"planet", "pond", "rain", "reef", "river", "robin", "sail", "shore",
	"sparrow", "stone", "thicket", "valley", "willow", "wren" };

_Static_assert(sizeof(adjectives) == WORDS * sizeof(char *) &&
		   sizeof(nouns) == WORDS * sizeof(char *),
    "each word must be as likely as any other");

void
names_random(char out[LTP_NAME_MAX + 1])
{
	uint32_t bits;
	ssize_t n = getrandom(&bits, sizeof(bits), 0);

	/* So few bytes come whole, and no signal interrupts it. */
	assert(n == (ssize_t)sizeof(bits));
	snprintf(out, LTP_NAME_MAX + 1, "%s-%s-%04u", adjectives[bits % WORDS],
	    nouns[bits / WORDS % WORDS],
	    (unsigned)(bits / WORDS / WORDS % 10000));
}

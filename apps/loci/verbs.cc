// SPDX-License-Identifier: Apache-2.0
#include "verbs.h"

#include <array>

namespace loci::cli {
namespace {

constexpr std::array<Verb, 24> kVerbs = {{
    {"create", "Make an empty collection",
     "  loci create notes --text title,body --filter lang:text,year:int\n"
     "  loci create images --dim 784 --metric l2 --element f16 --no-text-ids\n"
     "  loci create pages --text body --vector title_vec:384:cosine --vector body_vec:768:l2",
     configure_create},
    {"alter", "Add a column to a collection; keep old versions of its rows or stop that",
     "  loci alter notes --add-filter stars:int\n"
     "  loci alter notes --add-text summary\n"
     "  loci alter notes --history --history-versions 20 --history-days 365",
     configure_alter},
    {"drop", "Remove a collection and all its rows",
     "  loci drop notes --dry-run\n"
     "  loci drop notes --yes",
     configure_drop},
    {"add", "Add or update rows from files; makes a missing collection",
     "  loci add notes notes.jsonl\n"
     "  loci add notes more.csv --on-conflict ignore\n"
     "  loci add images base.bvecs --meta base_meta.jsonl\n"
     "  cat notes.jsonl | loci add notes -",
     configure_add},
    {"get", "Show rows by id",
     "  loci get notes n1\n"
     "  loci get images 1 2 3 --rowid --json",
     configure_get},
    {"list", "List collections, or the rows of one",
     "  loci list\n"
     "  loci list notes --where \"lang = 'rust'\" --limit 20",
     configure_list},
    {"search", "Find rows by words, by a vector, or by both",
     "  loci search notes \"safe memory without a collector\"\n"
     "  loci search notes \"parser\" --where \"lang = 'rust' AND year >= 2020\" -k 5\n"
     "  loci search notes --vector '[0.1, 0.2, 0.3]' --mode vector --json\n"
     "  loci search images --vector @query.json -k 3",
     configure_search},
    {"rm", "Remove rows",
     "  loci rm notes n1 n2\n"
     "  loci rm notes --where \"year < 2000\" --dry-run\n"
     "  loci rm notes --all --yes",
     configure_rm},
    {"archive", "Hide rows from searches and counts",
     "  loci archive notes n1\n"
     "  loci archive notes --where \"year < 2010\"",
     configure_archive},
    {"restore", "Show archived rows again", "  loci restore notes n1", configure_restore},
    {"purge", "Remove rows so that no byte of them is left in the file",
     "  loci purge notes n1 --dry-run\n"
     "  loci purge notes n1",
     configure_purge},
    {"history", "Show what a row was, until when, and what changed then",
     "  loci history notes n1\n"
     "  loci history notes n1 --json --with-vectors",
     configure_history},
    {"count", "Count rows",
     "  loci count notes\n"
     "  loci count notes --where \"lang IN ('c', 'rust')\"",
     configure_count},
    {"stats", "Rows, vectors, pending texts and log of collections",
     "  loci stats\n"
     "  loci stats notes --json",
     configure_stats},
    {"embed", "Make the vectors of rows whose text awaits them", "  loci embed notes",
     configure_embed},
    {"export", "Write a collection, or all of them, to files",
     "  loci export notes -o notes.jsonl\n"
     "  loci export images --format npy -o images.npy\n"
     "  loci export --all -o saved/",
     configure_export},
    {"import", "Read collections that 'export --all' has written",
     "  loci --db new.db import saved/", configure_import},
    {"backup", "Write a consistent copy of the file", "  loci backup copy.db", configure_backup},
    {"sql", "Run one SQL query",
     "  loci sql \"SELECT lang, count(*) AS n FROM notes GROUP BY lang\"", configure_sql},
    {"reindex", "Rebuild what is derived of a collection", "  loci reindex notes",
     configure_reindex},
    {"check", "Verify everything in the file; --repair mends what is derived",
     "  loci check\n"
     "  loci check --repair",
     configure_check},
    {"explain", "Say how a search is done and why; options as for search",
     "  loci explain notes \"parser\"\n"
     "  loci explain notes \"parser\" --where \"lang = 'rust'\" --json",
     configure_explain},
    {"eval", "Measure recall and latency against a ground truth",
     "  loci eval images --queries query.bvecs --groundtruth groundtruth.ivecs -k 10 --exact",
     configure_eval},
    {"migrate", "Show or move the schema version of the file",
     "  loci migrate status\n"
     "  loci migrate up",
     configure_migrate},
}};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

}  // namespace loci::cli

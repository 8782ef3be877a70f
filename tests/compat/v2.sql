-- SPDX-License-Identifier: Apache-2.0
-- Format 2 of Loci, written by tests/compat/make_format. Never edit: see compat_test.cc.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE loci_meta(
  key TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;
INSERT INTO loci_meta VALUES('created_at',1795877409757945);
INSERT INTO loci_meta VALUES('database_uuid','d28bfa95-9515-4814-b882-62c7e6f3adb5');
INSERT INTO loci_meta VALUES('node_id',3528332482116480885);
INSERT INTO loci_meta VALUES('schema_version',2);
CREATE TABLE loci_indexes(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  kind TEXT NOT NULL CHECK(kind IN ('collection', 'table')),
  table_name TEXT NOT NULL,
  spec TEXT NOT NULL,
  triggers TEXT NOT NULL
);
INSERT INTO loci_indexes VALUES(1,'notes','collection','notes','{"format":1,"vectors":[{"name":"embedding","dim":8,"metric":"cosine"},{"name":"flat","dim":8,"metric":"l2"}],"text":["title","body"],"filters":[{"name":"lang","type":"text"},{"name":"year","type":"int"},{"name":"rating","type":"float"},{"name":"draft","type":"bool"}],"text_ids":true,"history":false,"vector_table":"notes_vectors","key_column":"rid","key_columns":[],"fts_table":"notes_fts"}','6d67b343ac7c8cac45d8ce440de9834e');
INSERT INTO loci_indexes VALUES(2,'modelled','collection','modelled','{"format":1,"vectors":[{"name":"embedding","dim":16,"metric":"cosine","model":"hash:16:v1"}],"text":["body"],"filters":[],"text_ids":true,"history":false,"vector_table":"modelled_vectors","key_column":"rid","key_columns":[],"fts_table":"modelled_fts"}','7c3d5328ea12cca2e2630edc229d6dfb');
INSERT INTO loci_indexes VALUES(3,'bits','collection','bits','{"format":1,"vectors":[{"name":"code","dim":16,"metric":"hamming"}],"text":[],"filters":[],"text_ids":false,"history":false,"vector_table":"bits_vectors","key_column":"rid","key_columns":[],"fts_table":""}','447c4418124677d6915bf6aab4989d84');
INSERT INTO loci_indexes VALUES(4,'diary','collection','diary','{"format":2,"vectors":[{"name":"embedding","dim":8,"metric":"l2"}],"text":["body"],"filters":[],"text_ids":true,"history":true,"history_versions":100,"history_days":0,"vector_table":"diary_vectors","key_column":"rid","key_columns":[],"fts_table":"diary_fts"}','aff1f06467f8dba4d08f3e9b918d5c01');
INSERT INTO loci_indexes VALUES(5,'shelves','table','shelf','{"format":1,"vectors":[{"name":"vec","dim":2,"metric":"l2"}],"text":["content"],"filters":[],"text_ids":false,"history":false,"vector_table":"shelf","key_column":"","key_columns":["dataset","id"],"fts_table":"shelves_fts"}','f1a121786771bf88403e9f3ed443c45a');
CREATE TABLE loci_log(
  scn INTEGER PRIMARY KEY AUTOINCREMENT,
  token INTEGER NOT NULL DEFAULT (random()),
  source INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  op INTEGER NOT NULL,
  hlc INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  id
);
INSERT INTO loci_log VALUES(1,-1048816017205908090,1,0,4,117694621925965824,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(2,3862892906372308223,1,1,1,117694621926096896,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(3,6879328391185496584,1,1,2,117694621926096897,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(4,-3233767080340824311,1,2,1,117694621926096898,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(5,-7678166462757006684,1,2,2,117694621926096899,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(6,-6014306019717332017,1,3,1,117694621926096900,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(7,4198158121275310079,1,3,2,117694621926096901,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(8,-5398620266141123691,1,4,1,117694621926162432,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(9,4322379992129582502,1,4,2,117694621926162433,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(10,7640098167923582858,1,5,1,117694621926162434,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(11,8292358131695942321,1,5,2,117694621926162435,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(12,-8382059732481756225,1,6,1,117694621926162436,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(13,1855693603082711653,1,6,2,117694621926162437,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(14,-1145897464298802320,1,7,1,117694621926162438,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(15,596896224347700313,1,7,2,117694621926162439,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(16,-5348093338654927855,1,8,1,117694621926162440,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(17,-8923579078105648054,1,8,2,117694621926162441,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(18,4024962576773785702,1,9,1,117694621926162442,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(19,2445452647506072102,1,9,2,117694621926162443,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(20,1605382002821727917,1,10,1,117694621926162444,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(21,-2429733077472330902,1,10,2,117694621926162445,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(22,-2203136029358824016,1,11,1,117694621926162446,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(23,1212660340101916106,1,11,2,117694621926162447,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(24,-4415873515690523586,1,12,1,117694621926162448,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(25,-8397699388500834524,1,12,2,117694621926162449,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(26,-5513630980439824325,1,11,2,117694621926227968,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(27,-8556025637061957446,1,12,3,117694621926227969,3528332482116480885,'note-12');
INSERT INTO loci_log VALUES(28,-5915545894676209850,1,12,2,117694621926227970,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(29,1794064608473885599,1,5,2,117694621926227971,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(30,6266093125726152469,2,0,4,117694621926359040,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(31,-1648907423045397654,2,1,1,117694621926424576,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(32,8466661157182887414,2,1,2,117694621926424577,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(33,-1208855042225665595,2,2,1,117694621926424578,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(34,6686186048322029762,2,2,2,117694621926424579,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(35,6752054174492184528,2,3,1,117694621926424580,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(36,-3305683982347554665,2,3,2,117694621926424581,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(37,7436341920390589818,3,0,4,117694621926490112,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(38,287014374891122551,3,1,1,117694621926555648,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(39,6961924095708749369,3,1,2,117694621926555649,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(40,-7927256798401979032,3,2,1,117694621926555650,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(41,-6796021554137537898,3,2,2,117694621926555651,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(42,5716877253061345786,3,3,1,117694621926555652,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(43,3563105023172786029,3,3,2,117694621926555653,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(44,7675111944192300279,3,4,1,117694621926555654,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(45,4463430244767224700,3,4,2,117694621926555655,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(46,-4444197242800605198,4,0,4,117694621926752256,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(47,6636908669229175239,4,1,1,117694621926883328,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(48,-5727774169784156064,4,1,2,117694621926883329,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(49,8666677346236192652,4,1,2,117694621926948864,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(50,-3935290503652086420,4,1,2,117694621927014400,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(51,-1766002265875541158,4,1,2,117694621927014401,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(52,5834370029121761295,5,0,4,117694621927145472,3528332482116480885,NULL);
INSERT INTO loci_log VALUES(53,7685010913924886406,5,2,2,117694621927211008,3528332482116480885,NULL);
CREATE TABLE loci_followers(
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  source INTEGER NOT NULL,
  scn INTEGER NOT NULL,
  token INTEGER NOT NULL,
  state TEXT NOT NULL,
  database_uuid TEXT,
  root_id BLOB,
  generation INTEGER,
  checksum BLOB
);
CREATE TABLE loci_keys(
  rid INTEGER PRIMARY KEY AUTOINCREMENT,
  source INTEGER NOT NULL,
  dataset_id NOT NULL,
  id NOT NULL,
  UNIQUE(source, dataset_id, id)
);
INSERT INTO loci_keys VALUES(1,5,'A','1');
INSERT INTO loci_keys VALUES(2,5,'B','1');
CREATE TABLE loci_displaced(
  source INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15,
  PRIMARY KEY(source, rid)
) WITHOUT ROWID;
CREATE TABLE loci_snapshots(
  root_id BLOB NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(root_id, part)
);
CREATE TABLE IF NOT EXISTS "notes"(
  rid INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE CHECK(typeof(id) = 'text'),
  "title" TEXT CHECK(typeof("title") IN ('text', 'null')),
  "body" TEXT CHECK(typeof("body") IN ('text', 'null')),
  "lang" TEXT CHECK(typeof("lang") IN ('text', 'null')),
  "year" INTEGER CHECK(typeof("year") IN ('integer', 'null')),
  "rating" REAL CHECK(typeof("rating") IN ('real', 'null')),
  "draft" INTEGER CHECK("draft" IN (0, 1)),
  metadata TEXT,
  archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000),
  updated_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000)
);
INSERT INTO notes VALUES(1,'note-1','note number 1','alpha waves','go',2011,0.5,0,'{"n": 1}',0,1795877409761311,1795877409761311);
INSERT INTO notes VALUES(2,'note-2','note number 2','alpha waves','rust',2012,1.0,0,'{"n": 2}',0,1795877409761607,1795877409761607);
INSERT INTO notes VALUES(3,'note-3','note number 3','gamma rays','go',2013,1.5,0,'{"n": 3}',0,1795877409761885,1795877409761885);
INSERT INTO notes VALUES(4,'note-4','note number 4','alpha waves','rust',2014,2.0,1,'{"n": 4}',0,1795877409762007,1795877409762007);
INSERT INTO notes VALUES(5,'note-5','note number 5','delta blues','go',2015,2.5,0,'{"n": 5}',0,1795877409762087,1795877409763504);
INSERT INTO notes VALUES(6,'note-6','note number 6','gamma rays','rust',2016,3.0,0,'{"n": 6}',0,1795877409762164,1795877409762164);
INSERT INTO notes VALUES(7,'note-7','note number 7','alpha waves','go',2017,3.5,0,'{"n": 7}',0,1795877409762239,1795877409762239);
INSERT INTO notes VALUES(8,'note-8','note number 8','alpha waves','rust',2018,4.0,1,'{"n": 8}',0,1795877409762313,1795877409762313);
INSERT INTO notes VALUES(9,'note-9','note number 9','gamma rays','go',2019,4.5,0,'{"n": 9}',0,1795877409762383,1795877409762383);
INSERT INTO notes VALUES(10,'note-10','note number 10','alpha waves','rust',2020,5.0,0,'{"n": 10}',0,1795877409762457,1795877409762457);
INSERT INTO notes VALUES(11,'note-11','note number 11','alpha waves','go',2021,5.5,0,'{"n": 11}',1,1795877409762526,1795877409762756);
CREATE TABLE IF NOT EXISTS "notes_vectors"(
  rid INTEGER PRIMARY KEY,
  "embedding" BLOB CHECK("embedding" IS NULL OR (typeof("embedding") = 'blob' AND length("embedding") = 32)),
  "flat" BLOB CHECK("flat" IS NULL OR (typeof("flat") = 'blob' AND length("flat") = 32))
);
INSERT INTO notes_vectors VALUES(1,X'a46a573fb7c7683fc381103ecfbd41bf107c75bf8c0f8fbe4630283f95467d3f',NULL);
INSERT INTO notes_vectors VALUES(2,X'b7c7683fcfbd41bf8c0f8fbe95467d3ff8440bbfd85c09bf72987d3f106893be',X'7835193f107c75bfc420703ff8440bbfc6d387bd4479263fa0c279bfc8b6693f');
INSERT INTO notes_vectors VALUES(3,X'c381103e8c0f8fbe3201d33ed85c09bf4479263fb34040bf102f563ffcd367bf',NULL);
INSERT INTO notes_vectors VALUES(4,X'cfbd41bf95467d3fd85c09bf106893bec8b6693ffcd367bf2ab48a3e4d2a0d3f',X'6a3f7abf3201d33ed1c44d3fb34040bff06ef9be0ed5743fcdfaab3d38e57dbf');
INSERT INTO notes_vectors VALUES(5,X'107c75bff8440bbf4479263fc8b6693f388707bea4ef7cbfc23adbbebcbf3e3f',NULL);
INSERT INTO notes_vectors VALUES(6,X'8c0f8fbed85c09bfb34040bffcd367bfa4ef7cbf38e57dbf28a16abf56ac44bf',X'6a485c3e2220d73ea9041b3f0837433f5545623f4bbb763fa7a37f3fa0937c3f');
INSERT INTO notes_vectors VALUES(7,X'4630283f72987d3f102f563f2ab48a3ec23adbbe28a16abf222974bf5e8405bf',NULL);
INSERT INTO notes_vectors VALUES(8,X'95467d3f106893befcd367bf4d2a0d3fbcbf3e3f56ac44bf5e8405bfd4866b3f',X'a7694c3f251e76bf7fd6b73ef771073f86ff7ebf24942b3f43a7413e97de65bf');
INSERT INTO notes_vectors VALUES(9,X'3201d33eb34040bf0ed5743f38e57dbfd0d4593fcd0c0fbf4b5f2b3e23f5813e',NULL);
INSERT INTO notes_vectors VALUES(10,X'f8440bbfc8b6693fa4ef7cbfbcbf3e3fff5586be23109cbeb31d463f7d6f7ebf',X'be3361bf102f563fcdfaab3d28a16abf0da7493f4b5f2b3e426672bf5cb23b3f');
INSERT INTO notes_vectors VALUES(11,X'5cff7fbf150511bc39fa7f3fa103913cf4ef7fbfce81d9bc8ee07f3fd0fd103d',NULL);
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','notes_fts','notes_fts',0,'CREATE VIRTUAL TABLE "notes_fts" USING fts5("title", "body", content="notes", content_rowid="rid", tokenize=''porter unicode61 remove_diacritics 2'')');
CREATE TABLE IF NOT EXISTS 'notes_fts_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO notes_fts_data VALUES(1,X'0b2116');
INSERT INTO notes_fts_data VALUES(10,X'00000000010e0e000e0101010201010301010401010501010601010701010801010901010a01010b01010c01010d01010e0101');
INSERT INTO notes_fts_data VALUES(137438953473,X'000000340230310102040105616c706861010601010201046e6f74650102020205756d626572010203010477617665010601010304060c090a');
INSERT INTO notes_fts_data VALUES(274877906945,X'000000340230320202040105616c706861020601010201046e6f74650202020205756d626572020203010477617665020601010304060c090a');
INSERT INTO notes_fts_data VALUES(412316860417,X'00000033023033030204010567616d6d61030601010201046e6f74650302020205756d6265720302030103726169030601010304060c090a');
INSERT INTO notes_fts_data VALUES(549755813889,X'000000340230340402040105616c706861040601010201046e6f74650402020205756d626572040203010477617665040601010304060c090a');
INSERT INTO notes_fts_data VALUES(687194767361,X'000000340230350502040105616c706861050601010201046e6f74650502020205756d626572050203010477617665050601010304060c090a');
INSERT INTO notes_fts_data VALUES(824633720833,X'00000033023036060204010567616d6d61060601010201046e6f74650602020205756d6265720602030103726169060601010304060c090a');
INSERT INTO notes_fts_data VALUES(962072674305,X'000000340230370702040105616c706861070601010201046e6f74650702020205756d626572070203010477617665070601010304060c090a');
INSERT INTO notes_fts_data VALUES(1099511627777,X'000000340230380802040105616c706861080601010201046e6f74650802020205756d626572080203010477617665080601010304060c090a');
INSERT INTO notes_fts_data VALUES(1236950581249,X'00000033023039090204010567616d6d61090601010201046e6f74650902020205756d6265720902030103726169090601010304060c090a');
INSERT INTO notes_fts_data VALUES(1374389534721,X'00000035033031300a02040105616c7068610a0601010201046e6f74650a02020205756d6265720a02030104776176650a0601010304070c090a');
INSERT INTO notes_fts_data VALUES(1511828488193,X'00000035033031310b02040105616c7068610b0601010201046e6f74650b02020205756d6265720b02030104776176650b0601010304070c090a');
INSERT INTO notes_fts_data VALUES(1649267441665,X'00000034033031320c0204010567616d6d610c0601010201046e6f74650c02020205756d6265720c020301037261690c0601010304070c090a');
INSERT INTO notes_fts_data VALUES(1786706395137,X'0000002b033031320c01010567616d6d610c0101046e6f74650c010205756d6265720c0101037261690c010406090809');
INSERT INTO notes_fts_data VALUES(1924145348609,X'000000450230350503040105616c70686105010104626c75650506010103010564656c7461050601010201046e6f74650503020205756d62657205030301047761766505010406090b0c090a');
CREATE TABLE IF NOT EXISTS 'notes_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO notes_fts_idx VALUES(1,X'',2);
INSERT INTO notes_fts_idx VALUES(2,X'',2);
INSERT INTO notes_fts_idx VALUES(3,X'',2);
INSERT INTO notes_fts_idx VALUES(4,X'',2);
INSERT INTO notes_fts_idx VALUES(5,X'',2);
INSERT INTO notes_fts_idx VALUES(6,X'',2);
INSERT INTO notes_fts_idx VALUES(7,X'',2);
INSERT INTO notes_fts_idx VALUES(8,X'',2);
INSERT INTO notes_fts_idx VALUES(9,X'',2);
INSERT INTO notes_fts_idx VALUES(10,X'',2);
INSERT INTO notes_fts_idx VALUES(11,X'',2);
INSERT INTO notes_fts_idx VALUES(12,X'',2);
INSERT INTO notes_fts_idx VALUES(13,X'',2);
INSERT INTO notes_fts_idx VALUES(14,X'',2);
CREATE TABLE IF NOT EXISTS 'notes_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO notes_fts_docsize VALUES(1,X'0302');
INSERT INTO notes_fts_docsize VALUES(2,X'0302');
INSERT INTO notes_fts_docsize VALUES(3,X'0302');
INSERT INTO notes_fts_docsize VALUES(4,X'0302');
INSERT INTO notes_fts_docsize VALUES(5,X'0302');
INSERT INTO notes_fts_docsize VALUES(6,X'0302');
INSERT INTO notes_fts_docsize VALUES(7,X'0302');
INSERT INTO notes_fts_docsize VALUES(8,X'0302');
INSERT INTO notes_fts_docsize VALUES(9,X'0302');
INSERT INTO notes_fts_docsize VALUES(10,X'0302');
INSERT INTO notes_fts_docsize VALUES(11,X'0302');
CREATE TABLE IF NOT EXISTS 'notes_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO notes_fts_config VALUES('version',4);
CREATE TABLE IF NOT EXISTS "modelled"(
  rid INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE CHECK(typeof(id) = 'text'),
  "body" TEXT CHECK(typeof("body") IN ('text', 'null')),
  metadata TEXT,
  archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000),
  updated_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000)
);
INSERT INTO modelled VALUES(1,'memory safety','memory safety',NULL,0,1795877409766242,1795877409766242);
INSERT INTO modelled VALUES(2,'apple pie','apple pie',NULL,0,1795877409766476,1795877409766476);
INSERT INTO modelled VALUES(3,'ocean currents','ocean currents',NULL,0,1795877409766590,1795877409766590);
CREATE TABLE IF NOT EXISTS "modelled_vectors"(
  rid INTEGER PRIMARY KEY,
  "embedding_pending" INTEGER NOT NULL DEFAULT 0,
  "embedding" BLOB CHECK("embedding" IS NULL OR (typeof("embedding") = 'blob' AND length("embedding") = 64))
);
INSERT INTO modelled_vectors VALUES(1,0,X'5182a63e518226be5182263e0000000000000000518226be5182263e5182a6be00000000000000004bc90cbf7ac3f9be5282a63e000000005182263e2dc8cd3d');
INSERT INTO modelled_vectors VALUES(2,0,X'8dd3ba3e00000000000000008dd3babe000000009729973e9729973e9729973e00000000d5a78e3d80702f3e000000008dd3babe00000000972997bed7e1ee3e');
INSERT INTO modelled_vectors VALUES(3,0,X'8982563e2829aebe0d11f13e09b6203e933d94be0000000073ca863e2829ae3e09b620be00000000489c3b3e489c3b3e00000000489cbb3eff31d7bc09b6a0be');
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','modelled_fts','modelled_fts',0,'CREATE VIRTUAL TABLE "modelled_fts" USING fts5("body", content="modelled", content_rowid="rid", tokenize=''porter unicode61 remove_diacritics 2'')');
CREATE TABLE IF NOT EXISTS 'modelled_fts_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO modelled_fts_data VALUES(1,X'0306');
INSERT INTO modelled_fts_data VALUES(10,X'000000000103030003010101020101030101');
INSERT INTO modelled_fts_data VALUES(137438953473,X'0000001a07306d656d6f72690102020106736166657469010203040b');
INSERT INTO modelled_fts_data VALUES(274877906945,X'0000001505306170706c02020201037069650202030409');
INSERT INTO modelled_fts_data VALUES(412316860417,X'0000001a083063757272656e7403020301056f6365616e030202040c');
CREATE TABLE IF NOT EXISTS 'modelled_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO modelled_fts_idx VALUES(1,X'',2);
INSERT INTO modelled_fts_idx VALUES(2,X'',2);
INSERT INTO modelled_fts_idx VALUES(3,X'',2);
CREATE TABLE IF NOT EXISTS 'modelled_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO modelled_fts_docsize VALUES(1,X'02');
INSERT INTO modelled_fts_docsize VALUES(2,X'02');
INSERT INTO modelled_fts_docsize VALUES(3,X'02');
CREATE TABLE IF NOT EXISTS 'modelled_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO modelled_fts_config VALUES('version',4);
CREATE TABLE IF NOT EXISTS "bits"(
  rid INTEGER PRIMARY KEY,
  metadata TEXT,
  archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000),
  updated_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000)
);
INSERT INTO bits VALUES(1,NULL,0,1795877409768436,1795877409768436);
INSERT INTO bits VALUES(2,NULL,0,1795877409768540,1795877409768540);
INSERT INTO bits VALUES(3,NULL,0,1795877409768580,1795877409768580);
INSERT INTO bits VALUES(4,NULL,0,1795877409768615,1795877409768615);
CREATE TABLE IF NOT EXISTS "bits_vectors"(
  rid INTEGER PRIMARY KEY,
  "code" BLOB CHECK("code" IS NULL OR (typeof("code") = 'blob' AND length("code") = 2))
);
INSERT INTO bits_vectors VALUES(1,X'0000');
INSERT INTO bits_vectors VALUES(2,X'0f00');
INSERT INTO bits_vectors VALUES(3,X'ff00');
INSERT INTO bits_vectors VALUES(4,X'ff0f');
CREATE TABLE IF NOT EXISTS "diary"(
  rid INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE CHECK(typeof(id) = 'text'),
  "body" TEXT CHECK(typeof("body") IN ('text', 'null')),
  metadata TEXT,
  archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1)),
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000),
  updated_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000)
);
INSERT INTO diary VALUES(1,'monday','sun',NULL,0,1795877409773325,1795877409775597);
CREATE TABLE IF NOT EXISTS "diary_vectors"(
  rid INTEGER PRIMARY KEY,
  "embedding" BLOB CHECK("embedding" IS NULL OR (typeof("embedding") = 'blob' AND length("embedding") = 32))
);
INSERT INTO diary_vectors VALUES(1,X'b7c7683fcfbd41bf8c0f8fbe95467d3ff8440bbfd85c09bf72987d3f106893be');
CREATE TABLE IF NOT EXISTS "diary_history"(
  loci_version INTEGER PRIMARY KEY AUTOINCREMENT,
  rid INTEGER,
  loci_op INTEGER,
  loci_scn INTEGER,
  loci_token INTEGER,
  loci_hlc INTEGER,
  loci_at INTEGER,
  "id" TEXT,
  "body",
  "metadata",
  "archived",
  "created_at",
  "updated_at",
  "embedding"
);
INSERT INTO diary_history VALUES(1,1,2,49,8666677346236192652,117694621926948864,1795877409774000,'monday','rain',NULL,0,1795877409773325,1795877409773325,X'a46a573fb7c7683fc381103ecfbd41bf107c75bf8c0f8fbe4630283f95467d3f');
INSERT INTO diary_history VALUES(2,1,2,50,-3935290503652086420,117694621927014400,1795877409775000,'monday','sun',NULL,0,1795877409773325,1795877409774651,X'a46a573fb7c7683fc381103ecfbd41bf107c75bf8c0f8fbe4630283f95467d3f');
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','diary_fts','diary_fts',0,'CREATE VIRTUAL TABLE "diary_fts" USING fts5("body", content="diary", content_rowid="rid", tokenize=''porter unicode61 remove_diacritics 2'')');
CREATE TABLE IF NOT EXISTS 'diary_fts_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO diary_fts_data VALUES(1,X'0101');
INSERT INTO diary_fts_data VALUES(10,X'000000000102020002010101020101');
INSERT INTO diary_fts_data VALUES(137438953473,X'0000000d05307261696e01020204');
INSERT INTO diary_fts_data VALUES(274877906945,X'0000001405307261696e0101010373756e0102020408');
CREATE TABLE IF NOT EXISTS 'diary_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO diary_fts_idx VALUES(1,X'',2);
INSERT INTO diary_fts_idx VALUES(2,X'',2);
CREATE TABLE IF NOT EXISTS 'diary_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO diary_fts_docsize VALUES(1,X'01');
CREATE TABLE IF NOT EXISTS 'diary_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO diary_fts_config VALUES('version',4);
CREATE TABLE shelf(dataset TEXT, id TEXT, content TEXT, vec BLOB, PRIMARY KEY(dataset, id));
INSERT INTO shelf VALUES('A','1','first words',X'0000803f00000000');
INSERT INTO shelf VALUES('B','1','third words',X'000000000000803f');
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','shelves_fts','shelves_fts',0,'CREATE VIRTUAL TABLE "shelves_fts" USING fts5("content", tokenize=''porter unicode61 remove_diacritics 2'')');
CREATE TABLE IF NOT EXISTS 'shelves_fts_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO shelves_fts_data VALUES(1,X'0204');
INSERT INTO shelves_fts_data VALUES(10,X'000000000102020002010101020101');
INSERT INTO shelves_fts_data VALUES(137438953473,X'000000250630666972737401020201067365636f6e640202020104776f7264010203010203040a0b');
INSERT INTO shelves_fts_data VALUES(274877906945,X'0000002107307365636f6e640201010574686972640202020104776f7264020303040a0a');
CREATE TABLE IF NOT EXISTS 'shelves_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO shelves_fts_idx VALUES(1,X'',2);
INSERT INTO shelves_fts_idx VALUES(2,X'',2);
CREATE TABLE IF NOT EXISTS 'shelves_fts_content'(id INTEGER PRIMARY KEY, c0);
INSERT INTO shelves_fts_content VALUES(1,'first words');
INSERT INTO shelves_fts_content VALUES(2,'third words');
CREATE TABLE IF NOT EXISTS 'shelves_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO shelves_fts_docsize VALUES(1,X'02');
INSERT INTO shelves_fts_docsize VALUES(2,X'02');
CREATE TABLE IF NOT EXISTS 'shelves_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO shelves_fts_config VALUES('version',4);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('loci_indexes',5);
INSERT INTO sqlite_sequence VALUES('loci_log',53);
INSERT INTO sqlite_sequence VALUES('diary_history',4);
INSERT INTO sqlite_sequence VALUES('loci_keys',2);
CREATE INDEX "notes_archived" ON "notes"(archived) WHERE archived <> 0;
CREATE TRIGGER "loci_notes_bi" BEFORE INSERT ON "notes" WHEN EXISTS(SELECT 1 FROM "notes" WHERE "notes"."id" COLLATE "BINARY" = NEW."id") OR EXISTS(SELECT 1 FROM "notes" WHERE "notes"."rid" = NEW."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 1) BEGIN
  DELETE FROM loci_displaced WHERE source = 1;
  INSERT INTO loci_displaced(source, rid, c0, c1) SELECT 1, "notes"."rid", "notes"."title", "notes"."body" FROM "notes" WHERE "notes"."id" COLLATE "BINARY" = NEW."id" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = "notes"."rid");
  INSERT INTO loci_displaced(source, rid, c0, c1) SELECT 1, "notes"."rid", "notes"."title", "notes"."body" FROM "notes" WHERE "notes"."rid" = NEW."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = "notes"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 1, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "notes" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 1;
END;
CREATE TRIGGER "loci_notes_bu" BEFORE UPDATE ON "notes" WHEN EXISTS(SELECT 1 FROM "notes" WHERE "notes"."id" COLLATE "BINARY" = NEW."id" AND "notes"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM "notes" WHERE "notes"."rid" = NEW."rid" AND "notes"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 1) BEGIN
  DELETE FROM loci_displaced WHERE source = 1;
  INSERT INTO loci_displaced(source, rid, c0, c1) SELECT 1, "notes"."rid", "notes"."title", "notes"."body" FROM "notes" WHERE "notes"."id" COLLATE "BINARY" = NEW."id" AND "notes"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = "notes"."rid");
  INSERT INTO loci_displaced(source, rid, c0, c1) SELECT 1, "notes"."rid", "notes"."title", "notes"."body" FROM "notes" WHERE "notes"."rid" = NEW."rid" AND "notes"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = "notes"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 1, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "notes" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 1;
END;
CREATE TRIGGER "loci_notes_ai" AFTER INSERT ON "notes" BEGIN
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', d.rid, d.c0, d.c1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 1 AND rid = NEW."rid";
  DELETE FROM "notes_vectors" WHERE rid = NEW."rid";
  INSERT INTO "notes_fts"(rowid, "title", "body") VALUES(NEW."rid", NEW."title", NEW."body");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, NEW."rid", 1, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_notes_ai_displaced" AFTER INSERT ON "notes" WHEN EXISTS(SELECT 1 FROM loci_displaced WHERE source = 1 AND rid <> NEW."rid") BEGIN
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', d.rid, d.c0, d.c1 FROM loci_displaced AS d WHERE d.source = 1 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "notes" WHERE "rid" = d.rid);
  DELETE FROM "notes_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 1 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "notes" WHERE "rid" = d.rid));
  DELETE FROM loci_displaced WHERE source = 1 AND rid <> NEW."rid";
END;
CREATE TRIGGER "loci_notes_au" AFTER UPDATE ON "notes" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, NEW."rid", 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_notes_au_content" AFTER UPDATE ON "notes" WHEN OLD."rid" IS NOT NEW."rid" OR OLD."title" IS NOT NEW."title" OR OLD."body" IS NOT NEW."body" OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 1) BEGIN
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', d.rid, d.c0, d.c1 FROM loci_displaced AS d WHERE d.source = 1 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 1 AND rid = NEW."rid";
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', d.rid, d.c0, d.c1 FROM loci_displaced AS d WHERE d.source = 1 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "notes" WHERE "rid" = d.rid);
  DELETE FROM "notes_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 1 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "notes" WHERE "rid" = d.rid));
  DELETE FROM loci_displaced WHERE source = 1 AND rid <> NEW."rid";
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', OLD."rid", OLD."title", OLD."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."title" IS NOT NEW."title" OR OLD."body" IS NOT NEW."body";
  INSERT INTO "notes_fts"(rowid, "title", "body") SELECT NEW."rid", NEW."title", NEW."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."title" IS NOT NEW."title" OR OLD."body" IS NOT NEW."body";
  DELETE FROM "notes_vectors" WHERE rid = NEW."rid" AND OLD."rid" IS NOT NEW."rid";
  UPDATE "notes_vectors" SET rid = NEW."rid" WHERE rid = OLD."rid" AND OLD."rid" IS NOT NEW."rid";
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 1, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id" WHERE OLD."rid" IS NOT NEW."rid";
END;
CREATE TRIGGER "loci_notes_ad" AFTER DELETE ON "notes" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id");
  INSERT INTO "notes_fts"("notes_fts", rowid, "title", "body") SELECT 'delete', OLD."rid", OLD."title", OLD."body";
  DELETE FROM "notes_vectors" WHERE rid = OLD."rid";
  DELETE FROM loci_displaced WHERE source = 1 AND rid = OLD."rid";
END;
CREATE TRIGGER "loci_notes_vectors_ai" AFTER INSERT ON "notes_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_notes_vectors_au" AFTER UPDATE ON "notes_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_notes_vectors_au_moved" AFTER UPDATE OF rid ON "notes_vectors" WHEN OLD.rid <> NEW.rid BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_notes_vectors_ad" AFTER DELETE ON "notes_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(1, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE INDEX "modelled_archived" ON "modelled"(archived) WHERE archived <> 0;
CREATE TRIGGER "loci_modelled_bi" BEFORE INSERT ON "modelled" WHEN EXISTS(SELECT 1 FROM "modelled" WHERE "modelled"."id" COLLATE "BINARY" = NEW."id") OR EXISTS(SELECT 1 FROM "modelled" WHERE "modelled"."rid" = NEW."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 2) BEGIN
  DELETE FROM loci_displaced WHERE source = 2;
  INSERT INTO loci_displaced(source, rid, c0) SELECT 2, "modelled"."rid", "modelled"."body" FROM "modelled" WHERE "modelled"."id" COLLATE "BINARY" = NEW."id" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = "modelled"."rid");
  INSERT INTO loci_displaced(source, rid, c0) SELECT 2, "modelled"."rid", "modelled"."body" FROM "modelled" WHERE "modelled"."rid" = NEW."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = "modelled"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 2, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "modelled" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 2;
END;
CREATE TRIGGER "loci_modelled_bu" BEFORE UPDATE ON "modelled" WHEN EXISTS(SELECT 1 FROM "modelled" WHERE "modelled"."id" COLLATE "BINARY" = NEW."id" AND "modelled"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM "modelled" WHERE "modelled"."rid" = NEW."rid" AND "modelled"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 2) BEGIN
  DELETE FROM loci_displaced WHERE source = 2;
  INSERT INTO loci_displaced(source, rid, c0) SELECT 2, "modelled"."rid", "modelled"."body" FROM "modelled" WHERE "modelled"."id" COLLATE "BINARY" = NEW."id" AND "modelled"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = "modelled"."rid");
  INSERT INTO loci_displaced(source, rid, c0) SELECT 2, "modelled"."rid", "modelled"."body" FROM "modelled" WHERE "modelled"."rid" = NEW."rid" AND "modelled"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = "modelled"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 2, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "modelled" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 2;
END;
CREATE TRIGGER "loci_modelled_ai" AFTER INSERT ON "modelled" BEGIN
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 2 AND rid = NEW."rid";
  DELETE FROM "modelled_vectors" WHERE rid = NEW."rid";
  INSERT INTO "modelled_fts"(rowid, "body") VALUES(NEW."rid", NEW."body");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, NEW."rid", 1, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_ai_displaced" AFTER INSERT ON "modelled" WHEN EXISTS(SELECT 1 FROM loci_displaced WHERE source = 2 AND rid <> NEW."rid") BEGIN
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 2 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "modelled" WHERE "rid" = d.rid);
  DELETE FROM "modelled_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 2 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "modelled" WHERE "rid" = d.rid));
  DELETE FROM loci_displaced WHERE source = 2 AND rid <> NEW."rid";
END;
CREATE TRIGGER "loci_modelled_au" AFTER UPDATE ON "modelled" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, NEW."rid", 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_au_content" AFTER UPDATE ON "modelled" WHEN OLD."rid" IS NOT NEW."rid" OR OLD."body" IS NOT NEW."body" OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 2) BEGIN
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 2 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 2 AND rid = NEW."rid";
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 2 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "modelled" WHERE "rid" = d.rid);
  DELETE FROM "modelled_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 2 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "modelled" WHERE "rid" = d.rid));
  DELETE FROM loci_displaced WHERE source = 2 AND rid <> NEW."rid";
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', OLD."rid", OLD."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."body" IS NOT NEW."body";
  INSERT INTO "modelled_fts"(rowid, "body") SELECT NEW."rid", NEW."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."body" IS NOT NEW."body";
  DELETE FROM "modelled_vectors" WHERE rid = NEW."rid" AND OLD."rid" IS NOT NEW."rid";
  UPDATE "modelled_vectors" SET rid = NEW."rid" WHERE rid = OLD."rid" AND OLD."rid" IS NOT NEW."rid";
  UPDATE "modelled_vectors" SET "embedding_pending" = 1 WHERE rid = NEW."rid" AND (OLD."body" IS NOT NEW."body");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 2, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id" WHERE OLD."rid" IS NOT NEW."rid";
END;
CREATE TRIGGER "loci_modelled_ad" AFTER DELETE ON "modelled" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id");
  INSERT INTO "modelled_fts"("modelled_fts", rowid, "body") SELECT 'delete', OLD."rid", OLD."body";
  DELETE FROM "modelled_vectors" WHERE rid = OLD."rid";
  DELETE FROM loci_displaced WHERE source = 2 AND rid = OLD."rid";
END;
CREATE TRIGGER "loci_modelled_vectors_ai" AFTER INSERT ON "modelled_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_vectors_au" AFTER UPDATE ON "modelled_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_vectors_au_moved" AFTER UPDATE OF rid ON "modelled_vectors" WHEN OLD.rid <> NEW.rid BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_vectors_ad" AFTER DELETE ON "modelled_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(2, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_modelled_fresh_embedding" AFTER UPDATE OF "embedding" ON "modelled_vectors" WHEN NEW."embedding_pending" <> 0 BEGIN
  UPDATE "modelled_vectors" SET "embedding_pending" = 0 WHERE rid = NEW.rid;
END;
CREATE INDEX "bits_archived" ON "bits"(archived) WHERE archived <> 0;
CREATE TRIGGER "loci_bits_ai" AFTER INSERT ON "bits" BEGIN
  DELETE FROM "bits_vectors" WHERE rid = NEW."rid";
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, NEW."rid", 1, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_bits_au" AFTER UPDATE ON "bits" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, NEW."rid", 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_bits_au_content" AFTER UPDATE ON "bits" WHEN OLD."rid" IS NOT NEW."rid" BEGIN
  DELETE FROM "bits_vectors" WHERE rid = NEW."rid" AND OLD."rid" IS NOT NEW."rid";
  UPDATE "bits_vectors" SET rid = NEW."rid" WHERE rid = OLD."rid" AND OLD."rid" IS NOT NEW."rid";
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 3, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL WHERE OLD."rid" IS NOT NEW."rid";
END;
CREATE TRIGGER "loci_bits_ad" AFTER DELETE ON "bits" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
  DELETE FROM "bits_vectors" WHERE rid = OLD."rid";
END;
CREATE TRIGGER "loci_bits_vectors_ai" AFTER INSERT ON "bits_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_bits_vectors_au" AFTER UPDATE ON "bits_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_bits_vectors_au_moved" AFTER UPDATE OF rid ON "bits_vectors" WHEN OLD.rid <> NEW.rid BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_bits_vectors_ad" AFTER DELETE ON "bits_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(3, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE INDEX "diary_archived" ON "diary"(archived) WHERE archived <> 0;
CREATE INDEX "diary_history_rid" ON "diary_history"(rid) WHERE loci_op > 0;
CREATE INDEX "diary_history_id" ON "diary_history"(id) WHERE loci_op > 0;
CREATE INDEX "diary_history_staged" ON "diary_history"(loci_op) WHERE loci_op <= 0;
CREATE TRIGGER "loci_diary_bi" BEFORE INSERT ON "diary" WHEN EXISTS(SELECT 1 FROM "diary" WHERE "diary"."id" COLLATE "BINARY" = NEW."id") OR EXISTS(SELECT 1 FROM "diary" WHERE "diary"."rid" = NEW."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 4) BEGIN
  DELETE FROM loci_displaced WHERE source = 4;
  INSERT INTO loci_displaced(source, rid, c0) SELECT 4, "diary"."rid", "diary"."body" FROM "diary" WHERE "diary"."id" COLLATE "BINARY" = NEW."id" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = "diary"."rid");
  INSERT INTO loci_displaced(source, rid, c0) SELECT 4, "diary"."rid", "diary"."body" FROM "diary" WHERE "diary"."rid" = NEW."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = "diary"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 4, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "diary" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 4;
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = 0;
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "id", "body", "metadata", "archived", "created_at", "updated_at", "embedding") SELECT d.rid, 0, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, t."id", t."body", t."metadata", t."archived", t."created_at", t."updated_at", v."embedding" FROM loci_displaced AS d CROSS JOIN "diary" AS t ON t."rid" = d.rid LEFT JOIN "diary_vectors" AS v ON v.rid = d.rid CROSS JOIN loci_log AS e ON e.scn = (SELECT l.scn FROM loci_log AS l WHERE l.source = 4 AND l.rid = d.rid ORDER BY l.scn DESC LIMIT 1) WHERE d.source = 4;
END;
CREATE TRIGGER "loci_diary_bu" BEFORE UPDATE ON "diary" WHEN EXISTS(SELECT 1 FROM "diary" WHERE "diary"."id" COLLATE "BINARY" = NEW."id" AND "diary"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM "diary" WHERE "diary"."rid" = NEW."rid" AND "diary"."rid" <> OLD."rid") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 4) BEGIN
  DELETE FROM loci_displaced WHERE source = 4;
  INSERT INTO loci_displaced(source, rid, c0) SELECT 4, "diary"."rid", "diary"."body" FROM "diary" WHERE "diary"."id" COLLATE "BINARY" = NEW."id" AND "diary"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = "diary"."rid");
  INSERT INTO loci_displaced(source, rid, c0) SELECT 4, "diary"."rid", "diary"."body" FROM "diary" WHERE "diary"."rid" = NEW."rid" AND "diary"."rid" <> OLD."rid" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = "diary"."rid");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 4, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT "id" FROM "diary" WHERE "rid" = d.rid) FROM loci_displaced AS d WHERE d.source = 4;
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = 0;
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "id", "body", "metadata", "archived", "created_at", "updated_at", "embedding") SELECT d.rid, 0, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, t."id", t."body", t."metadata", t."archived", t."created_at", t."updated_at", v."embedding" FROM loci_displaced AS d CROSS JOIN "diary" AS t ON t."rid" = d.rid LEFT JOIN "diary_vectors" AS v ON v.rid = d.rid CROSS JOIN loci_log AS e ON e.scn = (SELECT l.scn FROM loci_log AS l WHERE l.source = 4 AND l.rid = d.rid ORDER BY l.scn DESC LIMIT 1) WHERE d.source = 4;
END;
CREATE TRIGGER "loci_diary_ai" AFTER INSERT ON "diary" BEGIN
  UPDATE "diary_history" SET loci_op = 3 WHERE loci_op <= 0 AND loci_op = 0 AND rid = NEW."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 4 AND rid = NEW."rid";
  DELETE FROM "diary_vectors" WHERE rid = NEW."rid";
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = NEW."rid" AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = NEW."rid" AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = NEW."rid" AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = NEW."rid" ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
  INSERT INTO "diary_fts"(rowid, "body") VALUES(NEW."rid", NEW."body");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, NEW."rid", 1, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_diary_ai_displaced" AFTER INSERT ON "diary" WHEN EXISTS(SELECT 1 FROM loci_displaced WHERE source = 4 AND rid <> NEW."rid") BEGIN
  UPDATE "diary_history" SET loci_op = 3 WHERE loci_op <= 0 AND loci_op = 0 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" AS t WHERE t."rid" = "diary_history".rid);
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = 0 AND rid <> NEW."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid);
  DELETE FROM "diary_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid));
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid)) AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = "diary_history".rid AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid)) AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = "diary_history".rid ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
  DELETE FROM loci_displaced WHERE source = 4 AND rid <> NEW."rid";
END;
CREATE TRIGGER "loci_diary_au" AFTER UPDATE ON "diary" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, NEW."rid", 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "id", "body", "metadata", "archived", "created_at", "updated_at", "embedding") SELECT OLD."rid", CASE WHEN OLD."rid" IS NOT NEW."rid" THEN 3 ELSE 2 END, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, OLD."id", OLD."body", OLD."metadata", OLD."archived", OLD."created_at", OLD."updated_at", v."embedding" FROM loci_log AS e LEFT JOIN "diary_vectors" AS v ON v.rid = OLD."rid" WHERE e.scn = (SELECT max(scn) FROM loci_log) AND (OLD."rid" IS NOT NEW."rid" OR OLD."id" IS NOT NEW."id" OR OLD."body" IS NOT NEW."body" OR OLD."metadata" IS NOT NEW."metadata" OR OLD."archived" IS NOT NEW."archived" OR OLD."created_at" IS NOT NEW."created_at" OR OLD."updated_at" IS NOT NEW."updated_at");
  UPDATE "diary_history" SET loci_op = 3 WHERE loci_op <= 0 AND loci_op = 0 AND rid = NEW."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 4 AND d.rid = NEW."rid";
  DELETE FROM loci_displaced WHERE source = 4 AND rid = NEW."rid";
  UPDATE "diary_history" SET loci_op = 3 WHERE loci_op <= 0 AND loci_op = 0 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" AS t WHERE t."rid" = "diary_history".rid);
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = 0 AND rid <> NEW."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', d.rid, d.c0 FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid);
  DELETE FROM "diary_vectors" WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid));
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid)) AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = "diary_history".rid AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 4 AND rid <> NEW."rid" AND NOT EXISTS(SELECT 1 FROM "diary" WHERE "rid" = d.rid)) AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = "diary_history".rid ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
  DELETE FROM loci_displaced WHERE source = 4 AND rid <> NEW."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', OLD."rid", OLD."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."body" IS NOT NEW."body";
  INSERT INTO "diary_fts"(rowid, "body") SELECT NEW."rid", NEW."body" WHERE OLD."rid" IS NOT NEW."rid" OR OLD."body" IS NOT NEW."body";
  DELETE FROM "diary_vectors" WHERE rid = NEW."rid" AND OLD."rid" IS NOT NEW."rid";
  UPDATE "diary_vectors" SET rid = NEW."rid" WHERE rid = OLD."rid" AND OLD."rid" IS NOT NEW."rid";
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 4, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id" WHERE OLD."rid" IS NOT NEW."rid";
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = (CASE WHEN OLD."rid" IS NOT NEW."rid" THEN OLD."rid" END) AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = (CASE WHEN OLD."rid" IS NOT NEW."rid" THEN OLD."rid" END) AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = OLD."rid" AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = OLD."rid" ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = (CASE WHEN OLD."rid" IS NOT NEW."rid" THEN NEW."rid" END) AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = (CASE WHEN OLD."rid" IS NOT NEW."rid" THEN NEW."rid" END) AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = NEW."rid" AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = NEW."rid" ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
END;
CREATE TRIGGER "loci_diary_ad" AFTER DELETE ON "diary" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, OLD."rid", 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), OLD."id");
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "id", "body", "metadata", "archived", "created_at", "updated_at", "embedding") SELECT OLD."rid", 3, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, OLD."id", OLD."body", OLD."metadata", OLD."archived", OLD."created_at", OLD."updated_at", v."embedding" FROM loci_log AS e LEFT JOIN "diary_vectors" AS v ON v.rid = OLD."rid" WHERE e.scn = (SELECT max(scn) FROM loci_log);
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = 0 AND rid = OLD."rid";
  INSERT INTO "diary_fts"("diary_fts", rowid, "body") SELECT 'delete', OLD."rid", OLD."body";
  DELETE FROM "diary_vectors" WHERE rid = OLD."rid";
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = OLD."rid" AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = OLD."rid" AND r.loci_op = 3), 0);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = OLD."rid" AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = OLD."rid" ORDER BY r.loci_version DESC LIMIT 1 OFFSET 100);
  DELETE FROM loci_displaced WHERE source = 4 AND rid = OLD."rid";
END;
CREATE TRIGGER "loci_diary_vectors_bi" BEFORE INSERT ON "diary_vectors" WHEN EXISTS(SELECT 1 FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1) OR EXISTS(SELECT 1 FROM "diary_vectors" WHERE "diary_vectors".rid = NEW.rid) BEGIN
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1;
  INSERT INTO "diary_history"(rid, loci_op, loci_at, "embedding") SELECT "diary_vectors".rid, -1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, "diary_vectors"."embedding" FROM "diary_vectors" WHERE ("diary_vectors".rid = NEW.rid) AND ("diary_vectors"."embedding" IS NOT NULL) AND NOT EXISTS(SELECT 1 FROM "diary_history" AS s WHERE s.loci_op <= 0 AND s.loci_op = -1 AND s.rid = "diary_vectors".rid);
END;
CREATE TRIGGER "loci_diary_vectors_bu" BEFORE UPDATE ON "diary_vectors" WHEN EXISTS(SELECT 1 FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1) OR EXISTS(SELECT 1 FROM "diary_vectors" WHERE ("diary_vectors".rid = NEW.rid) AND "diary_vectors".rid <> OLD.rid) BEGIN
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1;
  INSERT INTO "diary_history"(rid, loci_op, loci_at, "embedding") SELECT "diary_vectors".rid, -1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, "diary_vectors"."embedding" FROM "diary_vectors" WHERE (("diary_vectors".rid = NEW.rid) AND "diary_vectors".rid <> OLD.rid) AND ("diary_vectors"."embedding" IS NOT NULL) AND NOT EXISTS(SELECT 1 FROM "diary_history" AS s WHERE s.loci_op <= 0 AND s.loci_op = -1 AND s.rid = "diary_vectors".rid);
END;
CREATE TRIGGER "loci_diary_vectors_ai" AFTER INSERT ON "diary_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
  UPDATE "diary_history" SET (loci_op, loci_scn, loci_token, loci_hlc) = (SELECT 4, e.scn, e.token, e.hlc FROM loci_log AS e WHERE e.scn = (SELECT max(scn) FROM loci_log)) WHERE loci_op <= 0 AND loci_op = -1 AND (rid = NEW.rid OR NOT EXISTS(SELECT 1 FROM "diary_vectors" AS v WHERE v.rid = "diary_history".rid));
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1;
END;
CREATE TRIGGER "loci_diary_vectors_au" AFTER UPDATE ON "diary_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, NEW.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "embedding") SELECT OLD.rid, 4, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, OLD."embedding" FROM loci_log AS e WHERE e.scn = (SELECT max(scn) FROM loci_log) AND ((OLD."embedding" IS NOT NULL AND (OLD.rid <> NEW.rid OR OLD."embedding" IS NOT NEW."embedding")));
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = OLD.rid AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = OLD.rid ORDER BY r.loci_version DESC LIMIT 1 OFFSET 101);
  UPDATE "diary_history" SET (loci_op, loci_scn, loci_token, loci_hlc) = (SELECT 4, e.scn, e.token, e.hlc FROM loci_log AS e WHERE e.scn = (SELECT max(scn) FROM loci_log)) WHERE loci_op <= 0 AND loci_op = -1 AND (rid = NEW.rid OR NOT EXISTS(SELECT 1 FROM "diary_vectors" AS v WHERE v.rid = "diary_history".rid));
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1;
END;
CREATE TRIGGER "loci_diary_vectors_au_moved" AFTER UPDATE OF rid ON "diary_vectors" WHEN OLD.rid <> NEW.rid BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
END;
CREATE TRIGGER "loci_diary_vectors_ad" AFTER DELETE ON "diary_vectors" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) VALUES(4, OLD.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL);
  DELETE FROM "diary_history" WHERE loci_op <= 0 AND loci_op = -1 AND rid = OLD.rid;
  INSERT INTO "diary_history"(rid, loci_op, loci_scn, loci_token, loci_hlc, loci_at, "embedding") SELECT OLD.rid, 4, e.scn, e.token, e.hlc, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000, OLD."embedding" FROM loci_log AS e WHERE e.scn = (SELECT max(scn) FROM loci_log) AND (OLD."embedding" IS NOT NULL);
  DELETE FROM "diary_history" WHERE loci_op > 0 AND rid = OLD.rid AND loci_version <= (SELECT r.loci_version FROM "diary_history" AS r WHERE r.loci_op > 0 AND r.rid = OLD.rid ORDER BY r.loci_version DESC LIMIT 1 OFFSET 101);
END;
CREATE TRIGGER "loci_shelves_bi" BEFORE INSERT ON "shelf" WHEN EXISTS(SELECT 1 FROM "shelf" WHERE "shelf"."dataset" COLLATE "BINARY" = NEW."dataset" AND "shelf"."id" COLLATE "BINARY" = NEW."id") OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 5) BEGIN
  DELETE FROM loci_displaced WHERE source = 5;
  INSERT INTO loci_displaced(source, rid) SELECT 5, loci_keys.rid FROM "shelf" JOIN loci_keys ON loci_keys.source = 5 AND loci_keys.dataset_id = "shelf"."dataset" AND loci_keys.id = "shelf"."id" WHERE "shelf"."dataset" COLLATE "BINARY" = NEW."dataset" AND "shelf"."id" COLLATE "BINARY" = NEW."id" AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 5 AND d.rid = loci_keys.rid);
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT id FROM loci_keys WHERE rid = d.rid) FROM loci_displaced AS d WHERE d.source = 5;
END;
CREATE TRIGGER "loci_shelves_bu" BEFORE UPDATE ON "shelf" WHEN EXISTS(SELECT 1 FROM "shelf" WHERE "shelf"."dataset" COLLATE "BINARY" = NEW."dataset" AND "shelf"."id" COLLATE "BINARY" = NEW."id" AND NOT ("shelf"."dataset" IS OLD."dataset" AND "shelf"."id" IS OLD."id")) OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 5) BEGIN
  DELETE FROM loci_displaced WHERE source = 5;
  INSERT INTO loci_displaced(source, rid) SELECT 5, loci_keys.rid FROM "shelf" JOIN loci_keys ON loci_keys.source = 5 AND loci_keys.dataset_id = "shelf"."dataset" AND loci_keys.id = "shelf"."id" WHERE "shelf"."dataset" COLLATE "BINARY" = NEW."dataset" AND "shelf"."id" COLLATE "BINARY" = NEW."id" AND NOT ("shelf"."dataset" IS OLD."dataset" AND "shelf"."id" IS OLD."id") AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.source = 5 AND d.rid = loci_keys.rid);
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, d.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), (SELECT id FROM loci_keys WHERE rid = d.rid) FROM loci_displaced AS d WHERE d.source = 5;
END;
CREATE TRIGGER "loci_shelves_ai" AFTER INSERT ON "shelf" BEGIN
  INSERT INTO loci_keys(source, dataset_id, id) SELECT 5, NEW."dataset", NEW."id" WHERE NEW."dataset" IS NOT NULL AND NEW."id" IS NOT NULL AND NOT EXISTS(SELECT 1 FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id");
  DELETE FROM "shelves_fts" WHERE rowid = (SELECT loci_keys.rid FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id");
  INSERT INTO "shelves_fts"(rowid, "content") SELECT loci_keys.rid, NEW."content" FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id";
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, loci_keys.rid, 1, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id";
END;
CREATE TRIGGER "loci_shelves_ai_displaced" AFTER INSERT ON "shelf" WHEN EXISTS(SELECT 1 FROM loci_displaced WHERE source = 5) BEGIN
  DELETE FROM "shelves_fts" WHERE rowid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 5 AND NOT EXISTS(SELECT 1 FROM loci_keys, "shelf" AS t WHERE loci_keys.rid = d.rid AND loci_keys.dataset_id = t."dataset" AND loci_keys.id = t."id"));
  DELETE FROM loci_keys WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 5 AND NOT EXISTS(SELECT 1 FROM loci_keys, "shelf" AS t WHERE loci_keys.rid = d.rid AND loci_keys.dataset_id = t."dataset" AND loci_keys.id = t."id"));
  DELETE FROM loci_displaced WHERE source = 5;
END;
CREATE TRIGGER "loci_shelves_au" AFTER UPDATE ON "shelf" BEGIN
  INSERT INTO loci_keys(source, dataset_id, id) SELECT 5, NEW."dataset", NEW."id" WHERE NEW."dataset" IS NOT NULL AND NEW."id" IS NOT NULL AND NOT EXISTS(SELECT 1 FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, loci_keys.rid, 2, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), NULL FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id";
END;
CREATE TRIGGER "loci_shelves_au_content" AFTER UPDATE ON "shelf" WHEN OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id" OR OLD."content" IS NOT NEW."content" OR EXISTS(SELECT 1 FROM loci_displaced WHERE source = 5) BEGIN
  INSERT INTO loci_keys(source, dataset_id, id) SELECT 5, NEW."dataset", NEW."id" WHERE NEW."dataset" IS NOT NULL AND NEW."id" IS NOT NULL AND NOT EXISTS(SELECT 1 FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id");
  DELETE FROM "shelves_fts" WHERE rowid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 5 AND NOT EXISTS(SELECT 1 FROM loci_keys, "shelf" AS t WHERE loci_keys.rid = d.rid AND loci_keys.dataset_id = t."dataset" AND loci_keys.id = t."id"));
  DELETE FROM loci_keys WHERE rid IN (SELECT d.rid FROM loci_displaced AS d WHERE d.source = 5 AND NOT EXISTS(SELECT 1 FROM loci_keys, "shelf" AS t WHERE loci_keys.rid = d.rid AND loci_keys.dataset_id = t."dataset" AND loci_keys.id = t."id"));
  DELETE FROM loci_displaced WHERE source = 5;
  DELETE FROM "shelves_fts" WHERE rowid = (SELECT loci_keys.rid FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id") AND (OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id" OR OLD."content" IS NOT NEW."content");
  DELETE FROM "shelves_fts" WHERE rowid = (SELECT loci_keys.rid FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id") AND (OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id" OR OLD."content" IS NOT NEW."content");
  INSERT INTO "shelves_fts"(rowid, "content") SELECT loci_keys.rid, NEW."content" FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = NEW."dataset" AND loci_keys.id = NEW."id" AND (OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id" OR OLD."content" IS NOT NEW."content");
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, loci_keys.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), loci_keys.id FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id" AND (OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id");
  DELETE FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id" AND (OLD."dataset" IS NOT NEW."dataset" OR OLD."id" IS NOT NEW."id");
END;
CREATE TRIGGER "loci_shelves_ad" AFTER DELETE ON "shelf" BEGIN
  INSERT INTO loci_log(source, rid, op, hlc, origin, id) SELECT 5, loci_keys.rid, 3, max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16), ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0), loci_keys.id FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id";
  DELETE FROM "shelves_fts" WHERE rowid = (SELECT loci_keys.rid FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id");
  DELETE FROM loci_displaced WHERE source = 5 AND rid = (SELECT loci_keys.rid FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id");
  DELETE FROM loci_keys WHERE loci_keys.source = 5 AND loci_keys.dataset_id = OLD."dataset" AND loci_keys.id = OLD."id";
END;
PRAGMA writable_schema=OFF;
COMMIT;

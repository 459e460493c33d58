BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE job_labels (
	job INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	"column" TEXT NOT NULL, 
	label TEXT NOT NULL, 
	confidence DOUBLE NOT NULL, 
	PRIMARY KEY (job, position, "column"), 
	FOREIGN KEY(job, position) REFERENCES job_results (job, position) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "job_labels" VALUES(1,1,'articleType','Shoes',0.998198);
INSERT INTO "job_labels" VALUES(1,0,'articleType','Shoes',0.999507);
INSERT INTO "job_labels" VALUES(1,4,'articleType','Watches',5.0e-06);
INSERT INTO "job_labels" VALUES(1,1,'gender','Men',0.999997);
INSERT INTO "job_labels" VALUES(1,4,'gender','Men',1.0);
INSERT INTO "job_labels" VALUES(1,0,'gender','Women',1.0);
INSERT INTO "job_labels" VALUES(1,4,'masterCategory','Accessories',0.982433);
INSERT INTO "job_labels" VALUES(1,0,'masterCategory','Footwear',2.5e-05);
INSERT INTO "job_labels" VALUES(1,1,'masterCategory','Footwear',0.000134);
INSERT INTO "job_labels" VALUES(2,0,'articleType','Watches',2.6e-05);
INSERT INTO "job_labels" VALUES(2,2,'articleType','Watches',2.6e-05);
INSERT INTO "job_labels" VALUES(2,1,'articleType','Watches',0.997913);
INSERT INTO "job_labels" VALUES(2,1,'gender','Men',0.999999);
INSERT INTO "job_labels" VALUES(2,0,'gender','Men',1.0);
INSERT INTO "job_labels" VALUES(2,2,'gender','Women',1.0);
INSERT INTO "job_labels" VALUES(2,1,'masterCategory','Accessories',2.9e-05);
INSERT INTO "job_labels" VALUES(2,0,'masterCategory','Accessories',0.988525);
INSERT INTO "job_labels" VALUES(2,2,'masterCategory','Accessories',0.988525);
CREATE TABLE job_photos (
	job INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	upload INTEGER, 
	entry INTEGER, 
	carried JSON, 
	PRIMARY KEY (job, position), 
	FOREIGN KEY(job) REFERENCES jobs (number) ON DELETE CASCADE
);
INSERT INTO "job_photos" VALUES(1,0,'in/2001_front.png',0,0,'["2001","19.90","2026-01-05"]');
INSERT INTO "job_photos" VALUES(1,1,'in/2002.png',0,1,'["2002","7.50","2026-02-01"]');
INSERT INTO "job_photos" VALUES(1,2,'2009',NULL,NULL,'["2009","3","2026-02-02"]');
INSERT INTO "job_photos" VALUES(1,3,'in/2003.png',0,3,NULL);
INSERT INTO "job_photos" VALUES(1,4,'loose.png',1,NULL,NULL);
INSERT INTO "job_photos" VALUES(2,0,'a.png',0,NULL,NULL);
INSERT INTO "job_photos" VALUES(2,1,'b.png',1,NULL,NULL);
INSERT INTO "job_photos" VALUES(2,2,'a.png',2,NULL,NULL);
CREATE TABLE job_results (
	job INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	reason VARCHAR(32), 
	detail TEXT, 
	confidence DOUBLE, 
	doubtful INTEGER NOT NULL, 
	answer JSON, 
	corrections JSON, sure INTEGER, flags INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (job, position), 
	FOREIGN KEY(job, position) REFERENCES job_photos (job, position) ON DELETE CASCADE
);
INSERT INTO "job_results" VALUES(1,2,'not_found','row 4 of the table names a photo that was not sent',NULL,0,NULL,NULL,NULL,0);
INSERT INTO "job_results" VALUES(1,0,NULL,NULL,0.999507,1,'{"candidates":{"masterCategory":[["Footwear",0.000025],["Accessories",0.991101],["Apparel",0.008874]],"articleType":[["Shoes",0.999507],["Jeans",0.000388],["Tshirts",0.000094],["Watches",0.000011],["Socks",0.0]],"gender":[["Men",1.0],["Women",0.0]]},"doubtful":["masterCategory"]}','{"gender":"Women"}',2,0);
INSERT INTO "job_results" VALUES(1,1,NULL,NULL,0.998198,1,'{"candidates":{"masterCategory":[["Footwear",0.000134],["Accessories",0.989105],["Apparel",0.010761]],"articleType":[["Shoes",0.998198],["Jeans",0.001065],["Tshirts",0.000642],["Watches",0.000092],["Socks",2e-6]],"gender":[["Men",0.999997],["Women",3e-6]]},"doubtful":["masterCategory"]}','{"gender":"Men"}',2,0);
INSERT INTO "job_results" VALUES(1,3,'not_a_photo','the file is not a photo',NULL,0,NULL,NULL,NULL,0);
INSERT INTO "job_results" VALUES(1,4,NULL,NULL,5.0e-06,1,'{"candidates":{"masterCategory":[["Accessories",0.982433],["Apparel",0.017564],["Footwear",2e-6]],"articleType":[["Watches",5e-6],["Shoes",0.999807],["Jeans",0.000146],["Tshirts",0.000041],["Socks",0.0]],"gender":[["Men",1.0],["Women",0.0]]},"doubtful":["articleType"]}',NULL,2,0);
INSERT INTO "job_results" VALUES(2,0,NULL,NULL,2.6e-05,1,'{"candidates":{"masterCategory":[["Accessories",0.988525],["Apparel",0.011472],["Footwear",3e-6]],"articleType":[["Watches",0.000026],["Shoes",0.999082],["Jeans",0.000758],["Tshirts",0.000135],["Socks",0.0]],"gender":[["Men",1.0],["Women",0.0]]},"doubtful":["articleType"]}','{"gender":"Men"}',2,0);
INSERT INTO "job_results" VALUES(2,1,NULL,NULL,0.997913,0,'{"candidates":{"masterCategory":[["Footwear",0.000029],["Accessories",0.985193],["Apparel",0.014777]],"articleType":[["Shoes",0.997913],["Jeans",0.001753],["Tshirts",0.000305],["Watches",0.000029],["Socks",0.0]],"gender":[["Men",0.999999],["Women",1e-6]]},"doubtful":["masterCategory"]}','{"articleType":"Watches","masterCategory":"Accessories"}',2,0);
INSERT INTO "job_results" VALUES(2,2,NULL,NULL,2.6e-05,1,'{"candidates":{"masterCategory":[["Accessories",0.988525],["Apparel",0.011472],["Footwear",3e-6]],"articleType":[["Watches",0.000026],["Shoes",0.999082],["Jeans",0.000758],["Tshirts",0.000135],["Socks",0.0]],"gender":[["Men",1.0],["Women",0.0]]},"doubtful":["articleType"]}','{"gender":"Women"}',2,0);
CREATE TABLE jobs (
	number INTEGER NOT NULL, 
	id VARCHAR(32) NOT NULL, 
	title TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	model_id TEXT NOT NULL, 
	model_name TEXT NOT NULL, 
	model_version TEXT NOT NULL, 
	model_sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	started DATETIME, 
	finished DATETIME, 
	total INTEGER NOT NULL, 
	done INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	absent INTEGER NOT NULL, 
	worked_s DOUBLE NOT NULL, 
	message TEXT, 
	carried JSON NOT NULL, 
	vocabulary JSON NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'20722b7ad576b5db','Spring','done','tiny','tiny','1','c57d5d3418e5b8c8abfb84149c05ab6edb2bb5ddc82ad2e6e5948e6fe23fefe0','2026-11-30 01:20:18.628636','2026-11-30 01:20:18.700774','2026-11-30 01:20:25.580946',5,5,2,1,4.67250138600138598121e+00,'Skipped 1 file in the zip that is not a photo: in/notes.txt','[["sku","WRITTEN"],["price","WRITTEN"],["when","WRITTEN"]]','{"classes":{"masterCategory":["Apparel","Footwear","Accessories"],"articleType":["Tshirts","Jeans","Shoes","Watches","Socks"],"gender":["Men","Women"]},"levels":["masterCategory","subCategory","articleType"],"paths":[["Accessories","Watches","Watches"],["Apparel","Bottomwear","Jeans"],["Apparel","Socks","Socks"],["Apparel","Topwear","Tshirts"],["Footwear","Shoes","Shoes"],["Footwear","Socks","Socks"]]}');
INSERT INTO "jobs" VALUES(2,'e4eea22f00add74a','Loose','done','tiny','tiny','1','c57d5d3418e5b8c8abfb84149c05ab6edb2bb5ddc82ad2e6e5948e6fe23fefe0','2026-11-30 01:20:25.907365','2026-11-30 01:20:25.940020','2026-11-30 01:20:26.100848',3,3,0,0,1.29536691998509922996e-01,NULL,'[]','{"classes":{"masterCategory":["Apparel","Footwear","Accessories"],"articleType":["Tshirts","Jeans","Shoes","Watches","Socks"],"gender":["Men","Women"]},"levels":["masterCategory","subCategory","articleType"],"paths":[["Accessories","Watches","Watches"],["Apparel","Bottomwear","Jeans"],["Apparel","Socks","Socks"],["Apparel","Topwear","Tshirts"],["Footwear","Shoes","Shoes"],["Footwear","Socks","Socks"]]}');
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX job_results_by_reason ON job_results (job, reason, position);
CREATE INDEX job_results_by_doubt ON job_results (job, doubtful, position);
CREATE INDEX job_results_by_confidence ON job_results (job, confidence, position);
CREATE INDEX job_labels_by_label ON job_labels (job, "column", label, confidence, position);
CREATE INDEX job_results_by_flags ON job_results (job, flags, position);
COMMIT;
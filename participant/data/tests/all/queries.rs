//! What a query may be, what it gives, and what is said of one that fails: never a value of a row.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

use syndic_data::{Format, Query, QueryError, ReadError, Rows, Source, SourceFiles};
use syndic_learning::Cell;

/// The columns and rows that a query gave, as text.
#[derive(Default)]
struct Taken {
    columns: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
    /// Done once, before the first row.
    before_rows: Option<Box<dyn FnOnce()>>,
}

impl Rows for Taken {
    type Refusal = ();

    fn begin(&mut self, columns: &[&str]) -> Result<(), ()> {
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        if let Some(act) = self.before_rows.take() {
            act();
        }
        Ok(())
    }

    fn row(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), ()> {
        self.rows.push((number, cells.iter().map(|cell| cell.text().into_owned()).collect()));
        Ok(())
    }
}

struct Scene(tempfile::TempDir);

impl Scene {
    /// Customers of three columns, and their branches.
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        scene.write("customers.csv", CUSTOMERS);
        scene.write("branches.csv", "branch,city\nb1,porto\nb2,lisbon\n");
        std::fs::create_dir(scene.path("scratch")).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn sources(&self) -> Vec<Source> {
        let source = |name: &str| {
            let path = self.path(&format!("{name}.csv"));
            Source::of_files(name, path, Format::Csv)
        };
        vec![source("customers"), source("branches")]
    }

    fn read_into(&self, sql: &str, taken: &mut Taken) -> Result<Vec<SourceFiles>, QueryError> {
        let (sources, scratch) = (self.sources(), self.path("scratch"));
        let query = Query { sources: &sources, sql, memory_mb: 64, scratch: &scratch };
        let read = query.read(taken).map_err(|error| match error {
            ReadError::Query(error) => error,
            ReadError::Refused(()) => unreachable!(),
        });
        assert!(is_empty(&scratch), "what was spilled is removed");
        read
    }

    fn read(&self, sql: &str) -> Result<Taken, QueryError> {
        let mut taken = Taken::default();
        self.read_into(sql, &mut taken).map(|_| taken)
    }

    fn refused(&self, sql: &str) -> QueryError {
        match self.read(sql) {
            Ok(_) => panic!("{sql} was run"),
            Err(error) => error,
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

const CUSTOMERS: &str = "id,age,branch\n1, 30 ,b1\n2,,b2\n3,9,b1\n";

#[test]
fn cells_of_csv_are_text_without_spaces_and_nothing_is_null() {
    let taken = Scene::new().read("SELECT id, age, age IS NULL AS unknown FROM customers").unwrap();
    assert_eq!(taken.columns, ["id", "age", "unknown"]);
    let rows: Vec<_> = taken.rows.iter().map(|(number, cells)| (*number, cells.join("|"))).collect();
    assert_eq!(rows, [(1, "1|30|false".into()), (2, "2||true".into()), (3, "3|9|false".into())]);
}

#[test]
fn own_columns_are_renamed_computed_joined_and_filtered() {
    let sql = "SELECT CAST(c.age AS DOUBLE) / 2 AS half, upper(b.city) AS town \
               FROM customers c JOIN branches b ON c.branch = b.branch WHERE CAST(c.age AS INT) > 8 ORDER BY c.id DESC";
    let taken = Scene::new().read(sql).unwrap();
    let rows: Vec<_> = taken.rows.iter().map(|(number, cells)| (*number, cells.join("|"))).collect();
    assert_eq!(rows, [(1, "4.5|PORTO".into()), (2, "15|PORTO".into())]);
}

#[test]
fn what_is_no_select_over_the_sources_is_not_run() {
    let scene = Scene::new();
    scene.write("other.csv", "a\n1\n");
    let other = scene.path("other.csv").display().to_string();
    for (sql, code) in [
        ("DROP TABLE customers".to_owned(), "data.query-not-select"),
        ("CREATE TABLE t AS SELECT * FROM customers".into(), "data.query-not-select"),
        ("INSERT INTO customers SELECT * FROM customers".into(), "data.query-not-select"),
        (format!("COPY customers TO '{other}'"), "data.query-not-select"),
        ("SET datafusion.execution.batch_size = 1".into(), "data.query-not-select"),
        ("EXPLAIN SELECT * FROM customers".into(), "data.query-not-select"),
        ("SHOW TABLES".into(), "data.query-not-select"),
        ("SELECT * FROM customers; SELECT * FROM customers".into(), "data.query-not-select"),
        ("SELECT id INTO t FROM customers".into(), "data.query-not-select"),
        (format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{other}'"), "data.query-not-select"),
        (format!("SELECT * FROM '{other}'"), "data.source-unknown"),
        ("SELECT * FROM clients".into(), "data.source-unknown"),
        ("SELECT * FROM information_schema.tables".into(), "data.source-unknown"),
        ("SELECT id FROM customers WHERE id IN (SELECT a FROM clients)".into(), "data.source-unknown"),
        ("SELECT * FROM generate_series(1, 10)".into(), "data.source-unknown"),
        (format!("SELECT * FROM \"{other}\""), "data.source-unknown"),
        (format!("SELECT * FROM \"file://{other}\""), "data.source-unknown"),
        (format!("SELECT * FROM read_csv('{other}')"), "data.source-unknown"),
        (format!("SELECT * FROM parquet_metadata('{other}')"), "data.source-unknown"),
        ("SELECT * FROM datafusion.public.customers".into(), "data.source-unknown"),
        ("SELECT * FROM customers c, LATERAL (SELECT * FROM clients) x".into(), "data.source-unknown"),
        ("TABLE clients".into(), "data.query-syntax"),
        ("WITH c AS (SELECT * FROM clients) SELECT * FROM c".into(), "data.source-unknown"),
        ("SELECT id FROM customers UNION ALL SELECT a FROM clients".into(), "data.source-unknown"),
        ("DELETE FROM customers".into(), "data.query-not-select"),
        ("UPDATE customers SET id = '0'".into(), "data.query-not-select"),
        ("CREATE VIEW v AS SELECT * FROM customers".into(), "data.query-not-select"),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1".into(), "data.query-not-select"),
        ("PREPARE p AS SELECT * FROM customers".into(), "data.query-not-select"),
        ("EXPLAIN ANALYZE SELECT * FROM customers".into(), "data.query-not-select"),
        ("/* SELECT */ TRUNCATE TABLE customers".into(), "data.query-not-select"),
        ("SELEC id".into(), "data.query-syntax"),
        (String::new(), "data.query-syntax"),
    ] {
        let error = scene.refused(&sql);
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(!error.help().is_empty());
    }
    assert_eq!(std::fs::read_to_string(other).unwrap(), "a\n1\n");
}

#[test]
fn what_gives_other_rows_each_time_is_not_run() {
    let scene = Scene::new();
    for (sql, function) in [
        ("SELECT random() AS r FROM customers", "random"),
        ("SELECT uuid() AS u FROM customers", "uuid"),
        ("SELECT id FROM customers WHERE random() < 0.5", "random"),
        ("SELECT now() AS t FROM customers", "now"),
        ("SELECT current_date AS t FROM customers", "current_date"),
        ("SELECT current_timestamp AS t FROM customers", "now"),
        ("SELECT current_time AS t FROM customers", "current_time"),
        ("SELECT id FROM customers ORDER BY random()", "random"),
        ("SELECT id FROM customers WHERE id IN (SELECT CAST(random() AS VARCHAR) FROM branches)", "random"),
        ("WITH w AS (SELECT random() AS r FROM customers) SELECT r FROM w", "random"),
        ("SELECT max(random()) AS r FROM customers", "random"),
        ("SELECT id FROM customers TABLESAMPLE (50 PERCENT)", "TABLESAMPLE"),
        ("SELECT id FROM (SELECT * FROM customers TABLESAMPLE (50 PERCENT)) x", "TABLESAMPLE"),
    ] {
        let error = scene.refused(sql);
        assert_eq!(error.code(), "data.query-not-repeatable", "{sql}: {error}");
        assert!(error.to_string().contains(&format!("`{function}`")), "{error}");
    }
}

#[test]
fn the_same_query_gives_the_same_rows_in_the_same_order() {
    let scene = Scene::new();
    let rows: String = (0..20_000).map(|row| format!("{row},{},b{}\n", row * 7_919 % 90, row % 97)).collect();
    scene.write("customers.csv", &format!("id,age,branch\n{rows}"));
    let sql = "SELECT branch, count(*) AS n, avg(CAST(age AS DOUBLE)) AS mean FROM customers GROUP BY branch";
    let first = scene.read(sql).unwrap().rows;
    assert_eq!(first.len(), 97);
    for _ in 0..3 {
        assert_eq!(scene.read(sql).unwrap().rows, first);
    }
}

#[test]
fn no_error_tells_a_value() {
    let scene = Scene::new();
    let told = |sql: &str| {
        let error = scene.refused(sql);
        (error.code(), format!("{error} {error:?} {}", error.help()))
    };
    scene.write("customers.csv", "id,age,branch\n1,old-4711,b1\n");
    let cast = told("SELECT CAST(age AS DOUBLE) AS age FROM customers");
    let sum = told("SELECT id + CAST(age AS INT) AS sum FROM customers");
    scene.write("customers.csv", "id,age,branch\n1,0,b1\n2,4711\n");
    let torn = told("SELECT id FROM customers");
    scene.write("customers.csv", "jane,4711,b1\n2,30,b2\n");
    let no_header = told("SELECT id FROM customers");
    let no_header_either = told("SELECT jan FROM customers");
    scene.write("customers.csv", "4711,4711,b1\n");
    let twice = told("SELECT id FROM customers");
    std::fs::write(scene.path("customers.csv"), b"id,age,branch\n1,47\xff11,b1\n").unwrap();
    let no_text = told("SELECT id FROM customers");
    let literal = told("SELECT id FROM customers WHERE branch = 'jane 4711' AND");
    scene.write("customers.csv", "id,age,branch\r\n1,0,b1\r\n2,4711\r\n");
    let torn_otherwise = told("SELECT id FROM customers");
    scene.write("customers.csv", "jane;4711;b1\n2;30;b2\n");
    let semicolons = told("SELECT id FROM customers");
    scene.write("customers.csv", "id,age,branch\n1,9223372036854774711,b1\n");
    let small = told("SELECT CAST(CAST(age AS BIGINT) AS SMALLINT) AS age FROM customers");
    let date = told("SELECT CAST(to_timestamp(branch || '4711') AS BIGINT) AS age FROM customers");

    assert_eq!(cast.0, "data.query-value");
    assert_eq!(sum.0, "data.query-plan", "columns of CSV are text");
    assert_eq!(torn.0, "data.row-width");
    assert!(torn.1.contains("line 3"), "{}", torn.1);
    assert_eq!(no_header.0, "data.query-column");
    assert_eq!(twice.0, "data.source-malformed");
    assert_eq!(no_text.0, "data.source-malformed");
    assert_eq!(literal.0, "data.query-syntax");
    assert!(torn_otherwise.1.contains("line 3"), "{}", torn_otherwise.1);
    assert!(semicolons.1.contains("separated by semicolons"), "{}", semicolons.1);
    assert_eq!([small.0, date.0], ["data.query-value"; 2]);
    let told = [cast, sum, torn, no_header, no_header_either, twice, no_text, literal];
    for (_, told) in told.into_iter().chain([torn_otherwise, semicolons, small, date]) {
        assert!(!told.contains("4711") && !told.contains("jane"), "{told}");
    }
}

#[test]
fn what_cannot_be_converted_can_be_an_empty_cell_instead() {
    let scene = Scene::new();
    scene.write("customers.csv", "id,age,branch\n1,old,b1\n2,30,b1\n");
    let taken = scene.read("SELECT TRY_CAST(age AS DOUBLE) AS age FROM customers").unwrap();
    assert_eq!(taken.rows, [(1, vec![String::new()]), (2, vec!["30".to_owned()])]);
}

#[test]
fn files_that_change_while_they_are_read_are_noticed() {
    let scene = Scene::new();
    let (path, sql) = (scene.path("customers.csv"), "SELECT id FROM customers");
    for changed in [format!("{CUSTOMERS}4,40,b2\n"), "id,age,branch\n1,2\n".into(), "broken".into()] {
        let at = path.clone();
        let act = move || std::fs::write(at, changed).unwrap();
        let mut taken = Taken { before_rows: Some(Box::new(act)), ..Taken::default() };
        let error = scene.read_into(sql, &mut taken).unwrap_err();
        assert_eq!(error.code(), "data.source-changed");
        std::fs::write(&path, CUSTOMERS).unwrap();
    }
    let unread = scene.path("branches.csv");
    let act = move || std::fs::write(unread, "branch,city\n").unwrap();
    let mut taken = Taken { before_rows: Some(Box::new(act)), ..Taken::default() };
    let files = scene.read_into(sql, &mut taken).unwrap();
    assert_eq!(files.len(), 1, "a source that the query does not read is no part of it");
}

#[test]
fn a_whole_number_that_its_type_does_not_hold_ends_the_query() {
    let scene = Scene::new();
    for sql in [
        "SELECT CAST(id AS INT) * CAST('2000000000' AS INT) AS x FROM customers",
        "SELECT CAST(id AS BIGINT) + 9223372036854775806 AS x FROM customers",
        "SELECT -9223372036854775807 - CAST(id AS BIGINT) AS x FROM customers",
        "SELECT -(-9223372036854775807 - CAST('1' AS BIGINT)) AS x FROM customers",
        "SELECT id FROM customers WHERE CAST(id AS BIGINT) * 9223372036854775807 < 0",
        "SELECT max(CAST(id AS BIGINT) * 9223372036854775807) AS x FROM customers GROUP BY branch",
        "SELECT id FROM customers ORDER BY CAST(id AS BIGINT) * 9223372036854775807",
        "SELECT a.id FROM customers a JOIN customers b ON CAST(a.id AS BIGINT) * 9223372036854775807 = CAST(b.id AS BIGINT)",
        "SELECT id FROM customers WHERE id IN (SELECT CAST(id AS BIGINT) * 9223372036854775807 FROM customers)",
        "SELECT id FROM customers a WHERE EXISTS (SELECT 1 FROM customers b \
         WHERE CAST(b.id AS BIGINT) * CAST(a.id AS BIGINT) * 9223372036854775807 > 0)",
        "SELECT a.id FROM customers a FULL JOIN customers b ON CAST(a.id AS BIGINT) * CAST(b.id AS BIGINT) * 9223372036854775807 < 7",
        "WITH RECURSIVE n(x) AS (SELECT CAST(id AS BIGINT) FROM customers UNION ALL \
         SELECT x * 9223372036854775807 FROM n WHERE x IN (2, 3)) SELECT x FROM n",
        "SELECT id FROM customers QUALIFY row_number() OVER (ORDER BY CAST(id AS BIGINT) * 9223372036854775807) > 1",
        "SELECT DISTINCT ON (CAST(id AS BIGINT) * 9223372036854775807) id FROM customers",
        "SELECT x FROM (VALUES (9223372036854775807 + 1)) AS v(x)",
        "SELECT count(*) FILTER (WHERE CAST(id AS BIGINT) * 9223372036854775807 > 0) AS x FROM customers",
        "SELECT first_value(id ORDER BY CAST(id AS BIGINT) * 9223372036854775807) AS x FROM customers",
        "SELECT CASE WHEN CAST(id AS BIGINT) * 9223372036854775807 > 0 THEN 1 ELSE 0 END AS x FROM customers",
        "SELECT arrow_cast(CAST(id AS BIGINT), 'Dictionary(Int32, Int64)') * 9223372036854775807 AS x FROM customers",
        "SELECT CAST('0' AS BIGINT UNSIGNED) - CAST(id AS BIGINT UNSIGNED) AS x FROM customers",
    ] {
        assert_eq!(scene.refused(sql).code(), "data.query-overflow", "{sql}");
    }
    for sql in [
        "SELECT sum(CAST(id AS BIGINT) + 9223372036854775000) AS x FROM customers",
        "SELECT sum(CAST(id AS BIGINT) + 9223372036854775000) AS x FROM customers GROUP BY branch",
        "SELECT sum(DISTINCT CAST(id AS BIGINT) + 9223372036854775000) + 0 AS x FROM customers",
        "SELECT sum(CAST(id AS BIGINT) + 9223372036854775000) OVER (ORDER BY id) AS x FROM customers",
        "SELECT sum(CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))) AS x FROM customers",
        "SELECT sum(CAST('999999999999999999999999999999999999.99' AS DECIMAL(38,2))) OVER () AS x FROM customers",
        "SELECT sum(arrow_cast('9999999.99', 'Decimal32(9, 2)')) AS x FROM customers, customers b, customers c, customers d",
    ] {
        assert_eq!(scene.refused(sql).code(), "data.query-value", "{sql}");
    }
    let sums = "SELECT branch, sum(CAST(id AS INT)) AS s, sum(DISTINCT CAST(id AS BIGINT)), sum(CAST(id AS INT)) FILTER (WHERE id = '3'), \
                sum(CAST(age AS DOUBLE)), sum(sum(CAST(id AS INT))) OVER (ORDER BY branch) FROM customers GROUP BY branch \
                HAVING sum(CAST(id AS INT)) > 1 ORDER BY sum(CAST(id AS INT))";
    let rows: Vec<_> = scene.read(sums).unwrap().rows.iter().map(|(_, cells)| cells.join("|")).collect();
    assert_eq!(rows, ["b2|2|2|||6", "b1|4|4|3|39|4"]);
    let decimals = "SELECT sum(CAST('12345678901234567890123456789012.25' AS DECIMAL(38,2))) AS x, sum(DISTINCT CAST(id AS DECIMAL(38,2))), \
                    sum(CAST(id AS DECIMAL(9,2))), sum(arrow_cast(id, 'Decimal32(7, 2)')) FROM customers";
    let rows: Vec<_> = scene.read(decimals).unwrap().rows.iter().map(|(_, cells)| cells.join("|")).collect();
    assert_eq!(rows, ["37037036703703703670370370367036.75|6.00|6.00|6.00"]);
    let correlated = "SELECT (SELECT sum(CAST(b.id AS INT)) + 1 FROM customers b WHERE b.branch = a.branch) AS s FROM customers a \
                      ORDER BY a.id";
    let rows: Vec<_> =
        scene.read(correlated).unwrap().rows.iter().map(|(_, cells)| cells.join("|")).collect();
    assert_eq!(rows, ["5", "3", "5"]);
    let sql = "SELECT CAST(id AS INT) * 2 - 1 AS odd, -CAST(id AS BIGINT), count(*) + 1 AS more, 7 - sum(CAST(age AS INT)) \
               FROM customers GROUP BY CAST(id AS INT) * 2 - 1, -CAST(id AS BIGINT) HAVING count(*) * 2 = 2 \
               ORDER BY CAST(id AS INT) * 2 - 1 DESC";
    let taken = scene.read(sql).unwrap();
    let rows: Vec<_> = taken.rows.iter().map(|(_, cells)| cells.join("|")).collect();
    assert_eq!(rows, ["5|-3|2|-2", "3|-2|2|", "1|-1|2|-23"]);
    assert_eq!(
        scene.read("SELECT CAST(id AS DOUBLE) * 1e300 * 1e300 AS x FROM customers").unwrap().rows[0].1,
        ["inf"]
    );
}

#[test]
fn a_query_beyond_its_memory_spills_or_is_refused() {
    let scene = Scene::new();
    let rows: String =
        (0..120_000).map(|row| format!("{row},{},b{:0>200}\n", row % 90, row * 7_919 % 120_000)).collect();
    scene.write("customers.csv", &format!("id,age,branch\n{rows}"));
    let (sources, scratch) = (scene.sources(), scene.path("scratch"));
    let read = |sql, memory_mb| {
        let mut taken = Taken::default();
        let query = Query { sources: &sources, sql, memory_mb, scratch: &scratch };
        query.read(&mut taken).map(|_| taken.rows)
    };
    let sorted = "SELECT branch FROM customers ORDER BY branch";
    let (wide, narrow) = (read(sorted, 256).unwrap(), read(sorted, 8).unwrap());
    assert_eq!(wide.len(), 120_000);
    assert!(wide == narrow, "sorted on disk as in memory");
    let joined =
        "SELECT a.branch AS x, b.branch AS y FROM customers a JOIN customers b ON a.branch = b.branch";
    let Err(ReadError::Query(error)) = read(joined, 1) else { panic!("a join of 50 MB in one") };
    assert_eq!(error.code(), "data.query-memory");
}

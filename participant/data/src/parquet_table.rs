//! Parquet files as a table, read by DataFusion: only the columns that the query names, a row group at a time.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};

use crate::QueryError;
use crate::files::LocalFiles;

/// The table that the source's files make together.
pub(crate) async fn table(
    session: &dyn Session,
    source: &LocalFiles,
) -> Result<Arc<dyn TableProvider>, QueryError> {
    let format = ParquetFormat::default().with_options(session.table_options().parquet.clone());
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let (mut urls, mut schema): (Vec<ListingTableUrl>, Option<SchemaRef>) = (Vec::new(), None);
    for path in source.files()? {
        let malformed = |what: &str| {
            let (source, path) = (source.name.clone(), source.shown(&path));
            QueryError::Malformed { source, path, what: what.into() }
        };
        let absolute = std::path::absolute(&path).map_err(|error| source.unreadable(&path, &error))?;
        let url = ListingTableUrl::parse(url(&absolute))
            .map_err(|_| malformed("has a name that cannot be used"))?;
        let found = options.infer_schema(session, &url).await.map_err(|_| malformed("is no Parquet file"))?;
        match &schema {
            None => schema = Some(found),
            Some(first) if columns(first) == columns(&found) => {}
            Some(_) => return Err(malformed("has other columns, or other types, than the first file")),
        }
        urls.push(url);
    }
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
    let config = config.with_schema(schema.unwrap_or_else(|| Arc::new(Schema::empty())));
    let table = ListingTable::try_new(config).map_err(|_| QueryError::Plan(String::new()))?;
    Ok(Arc::new(table))
}

/// Names and types, whatever their order in the file.
fn columns(schema: &Schema) -> Vec<(&str, &DataType)> {
    let mut columns: Vec<_> =
        schema.fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
    columns.sort_by_key(|(name, _)| *name);
    columns
}

/// The path as a URL, in which no character stands for others.
fn url(path: &Path) -> String {
    let mut url = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => url.push(byte.into()),
            // Writing to a String does not fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url
}

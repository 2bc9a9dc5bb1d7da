-- An index of a column that came later is made after the table was widened, without holding readers
-- up; until it stands, this says so.
alter table stripeline.kept_column add column index_due boolean not null default false;

comment on column stripeline.kept_column.index_due is
    'Whether the column shall have an index and it could not be made yet.';

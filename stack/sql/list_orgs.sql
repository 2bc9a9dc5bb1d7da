select id, name from orgs order by id;

select finding, count(*) from {difference} group by finding

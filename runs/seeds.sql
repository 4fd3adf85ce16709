-- With settings that are equal but for the seeds, how far do the steps to memorise and to generalise spread?
-- Runs that start from someone's weights are left out: they need not have learnt anything themselves.
WITH settings AS (
    SELECT r.id AS run_id, r.method,
           (SELECT group_concat(key || '=' || ifnull(value, ''), ' ') FROM
               (SELECT key, value FROM param WHERE run_id = r.id AND key NOT IN ('seed', 'split_seed', 'name', 'threads')
                ORDER BY key)) AS setting
    FROM run r
)
SELECT t.method, s.op, s.p, s.train_fraction, count(*) AS runs, count(s.grokked_step) AS grokked,
       round(avg(s.memorised_step), 2) AS memorised_mean, round(stddev_samp(s.memorised_step), 2) AS memorised_sd,
       round(avg(s.grokked_step), 2) AS grokked_mean, round(stddev_samp(s.grokked_step), 2) AS grokked_sd,
       min(s.grokked_step) AS grokked_min, max(s.grokked_step) AS grokked_max,
       round(avg(s.test_accuracy), 4) AS test_accuracy_mean, round(stddev_samp(s.test_accuracy), 4) AS test_accuracy_sd
FROM settings t JOIN run_summary s ON s.run_id = t.run_id
WHERE NOT EXISTS (SELECT 1 FROM param i WHERE i.run_id = t.run_id AND i.key = 'init_file' AND i.value <> '')
GROUP BY t.method, t.setting
ORDER BY t.method, s.op, s.p, s.train_fraction, runs DESC;

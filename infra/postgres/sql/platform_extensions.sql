-- Extensions that stay with the platform.
named AS (
  SELECT extname FROM platform_extension
)
SELECT extname FROM named ORDER BY 1

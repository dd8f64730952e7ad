// The documentation's page takes language and theme from the dashboard, and gives
// them back. It is whole without this script.
(function () {
  'use strict';
  var root = document.documentElement;
  function kept(key) { try { return localStorage.getItem(key); } catch (e) { return null; } }
  function keep(key, value) { try { localStorage.setItem(key, value); } catch (e) { /* private window: not kept */ } }
  if (!location.search && kept('lang') === 'en') location.replace('/docs?lang=en' + location.hash);
  root.setAttribute('data-theme', kept('theme') || (window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));
  document.addEventListener('DOMContentLoaded', function () {
    document.getElementById('theme').addEventListener('click', function () {
      var theme = root.getAttribute('data-theme') === 'dark' ? 'light' : 'dark';
      keep('theme', theme);
      root.setAttribute('data-theme', theme);
    });
    document.getElementById('lang').addEventListener('click', function (event) {
      keep('lang', root.lang === 'en' ? 'zh' : 'en');
      event.currentTarget.href += location.hash; // the place is kept
    });
  });
}());
